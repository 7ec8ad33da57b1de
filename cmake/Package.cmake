# SPDX-License-Identifier: BSD-3-Clause
# `./bootstrap package`, or cpack in a build folder: a .deb, whose needs are found from what the program is linked to.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME paretorank)
set(CPACK_PACKAGE_VENDOR "ParetoRank")
set(CPACK_PACKAGE_CONTACT "ParetoRank <paretorank@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT) # paretorank_0.1.0_amd64.deb
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS openmpi-bin) # mpirun
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "openssh-client, python3-jinja2") # to start ranks on other machines; for chat templates
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3, gnuplot-nox")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "One configuration file, one mpirun, one results directory: ParetoRank fine-tunes a LoRA expert per objective by
reinforcement learning, combines the experts at many preference weights, evaluates each combination, and leaves the
policies that no other policy beats, as tables and as adapters that Python's peft loads.")
include(CPack)

# SPDX-License-Identifier: BSD-3-Clause
# What `cmake --install` puts in place beside the command and its manual page (src/cli): sweeps to start from, the
# Slurm script, and the documentation with its links intact.
install(DIRECTORY sweeps/counsel sweeps/tiny DESTINATION "${CMAKE_INSTALL_DATADIR}/paretorank/sweeps"
        PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY examples DESTINATION "${CMAKE_INSTALL_DATADIR}/paretorank" PATTERN "__pycache__" EXCLUDE)
install(FILES slurm/paretorank.sbatch DESTINATION "${CMAKE_INSTALL_DATADIR}/paretorank/slurm")
install(FILES python/paretorank.py python/pyproject.toml DESTINATION "${CMAKE_INSTALL_DATADIR}/paretorank/python")
install(DIRECTORY schemas DESTINATION "${CMAKE_INSTALL_DATADIR}/paretorank")
install(FILES README.md LICENSE CITATION.cff CONTRIBUTING.md HACKING.md CHANGELOG.md DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY docs DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME copyright) # where Debian looks for it

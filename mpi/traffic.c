/* MPI's profiling interface (MPI standard, chapter "Tool Support"): these take the place of the library's own calls and
 * pass on to them. */
#include "mpi/traffic.h"

#include <mpi.h>

static double sent;

double pr_traffic_bytes(void)
{
    return sent;
}

static double bytes_of(double count, MPI_Datatype type)
{
    int size = 0;
    PMPI_Type_size(type, &size);
    return count * size;
}

// (P-1)/P
static double others(MPI_Comm comm)
{
    int size = 1;
    PMPI_Comm_size(comm, &size);
    return (size - 1.0) / size;
}

int MPI_Send(const void *buf, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
    sent += bytes_of(count, type);
    return PMPI_Send(buf, count, type, to, tag, comm);
}

int MPI_Rsend(const void *buf, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
    sent += bytes_of(count, type);
    return PMPI_Rsend(buf, count, type, to, tag, comm);
}

int MPI_Isend(const void *buf, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request)
{
    sent += bytes_of(count, type);
    return PMPI_Isend(buf, count, type, to, tag, comm, request);
}

int MPI_Sendrecv(const void *out, int n_out, MPI_Datatype type_out, int to, int tag_out, void *in, int n_in,
                 MPI_Datatype type_in, int from, int tag_in, MPI_Comm comm, MPI_Status *status)
{
    sent += bytes_of(n_out, type_out);
    return PMPI_Sendrecv(out, n_out, type_out, to, tag_out, in, n_in, type_in, from, tag_in, comm, status);
}

int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    sent += 2 * others(comm) * bytes_of(count, type);
    return PMPI_Allreduce(in, out, count, type, op, comm);
}

int MPI_Reduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm)
{
    sent += others(comm) * bytes_of(count, type);
    return PMPI_Reduce(in, out, count, type, op, root, comm);
}

int MPI_Bcast(void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    sent += others(comm) * bytes_of(count, type);
    return PMPI_Bcast(buf, count, type, root, comm);
}

int MPI_Allgatherv(const void *in, int n_in, MPI_Datatype type_in, void *out, const int *count, const int *start,
                   MPI_Datatype type, MPI_Comm comm)
{
    int size = 1;
    double all = 0;
    PMPI_Comm_size(comm, &size);
    for (int i = 0; i < size; i++)
        all += count[i];
    sent += others(comm) * bytes_of(all, type);
    return PMPI_Allgatherv(in, n_in, type_in, out, count, start, type, comm);
}

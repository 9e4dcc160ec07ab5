# Matrix product: csrc/ops/gemm.h.


def gemm(tuple how, cnp.ndarray a, bint transpose_a, cnp.ndarray b, bint transpose_b, cnp.ndarray bias,
         cnp.ndarray out):
    """out (m, n) = op(a) op(b) + bias, where op transposes a packed matrix if asked; bias (n,) or None."""
    cdef cf_gemm_desc d
    cdef cf_gemm_plan plan
    cdef Call call = begin(how)
    d.dtype = dtype_of(a)
    d.m, d.n, d.k = out.shape[0], out.shape[1], a.shape[0 if transpose_a else 1]
    d.a_rs = 1 if transpose_a else d.k
    d.a_cs = d.m if transpose_a else 1
    d.b_rs = 1 if transpose_b else d.n
    d.b_cs = d.k if transpose_b else 1
    check(cf_gemm_plan_init(&plan, &d, &call.options))
    cdef Workspace workspace = take_workspace(plan.workspace_bytes)
    cdef void *pa = data_of(a)
    cdef void *pb = data_of(b)
    cdef void *pbias = data_of(bias)
    cdef void *pout = data_of(out)
    with nogil:
        cf_gemm(&plan, pa, pb, pbias, pout, workspace.data())
    give_back(workspace)
    if call.start >= 0:
        report(call, f"gemm m{d.m}n{d.n}k{d.k}", plan.options.threads, plan.workspace_bytes)

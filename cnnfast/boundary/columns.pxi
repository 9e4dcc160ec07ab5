# Columns of images: csrc/ops/columns.h.


def columns(tuple how, bint adjoint, geometry, tuple strides, double fill, cnp.ndarray x, cnp.ndarray cols):
    """im2col: cols from x; its adjoint col2im: x from cols.

    `geometry` is a convolution's, of which only the windows count; `strides` are those of image, channel, tap and point
    in the packed columns.
    """
    cdef Call call = begin(how)
    cdef cf_columns_desc d
    cdef int lead = 3 - len(geometry.input)
    d.dtype = dtype_of(x)
    d.n, d.c = geometry.n, geometry.in_channels
    d.fill = fill
    for axis in range(4):
        d.at[axis] = strides[axis]
    for axis in range(3):
        at = axis - lead
        d.in_[axis] = geometry.input[at] if at >= 0 else 1
        d.out[axis] = geometry.output[at] if at >= 0 else 1
        d.kernel[axis] = geometry.kernel[at] if at >= 0 else 1
        d.stride[axis] = geometry.stride[at] if at >= 0 else 1
        d.dil[axis] = geometry.dilation[at] if at >= 0 else 1
        d.pad[axis] = geometry.pad_lo[at] if at >= 0 else 0
    cdef int64_t size = cf_columns_workspace(&d, &call.options)
    cdef Workspace workspace = take_workspace(size)
    cdef void *px = data_of(x)
    cdef void *pcols = data_of(cols)
    cdef cf_status status
    with nogil:
        if adjoint:
            status = cf_col2im(&d, &call.options, pcols, px, workspace.data())
        else:
            status = cf_im2col(&d, &call.options, px, pcols, workspace.data())
    give_back(workspace)
    check(status)
    if call.start >= 0:
        report(call, f"{'col2im' if adjoint else 'im2col'} {geometry}", call.options.threads, size)

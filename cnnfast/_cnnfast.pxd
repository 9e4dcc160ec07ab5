"""Declarations of csrc/cnnfast.h, nothing else."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "cnnfast.h" nogil:
    ctypedef enum cf_status:
        CF_OK
        CF_INVALID
        CF_UNSUPPORTED
        CF_TOO_LARGE
    ctypedef enum cf_dtype:
        CF_F32
        CF_F64
    ctypedef enum cf_isa:
        CF_ISAS
    ctypedef struct cf_options:
        cf_isa isa
        int threads, exact

    int CF_ALIGN
    const char *cf_status_text(cf_status status)
    const char *cf_isa_name(cf_isa isa)
    int cf_isa_supported(cf_isa isa)
    cf_isa cf_isa_best()
    int64_t cf_isa_lanes(cf_isa isa, cf_dtype dtype)
    int cf_have_openmp()
    int cf_max_threads()

    ctypedef struct cf_gemm_desc:
        cf_dtype dtype
        int64_t m, n, k, a_rs, a_cs, b_rs, b_cs
        double low, high
    ctypedef struct cf_gemm_plan:
        cf_gemm_desc desc
        cf_options options
        int64_t nv, panels, dots, workspace_bytes
    cf_status cf_gemm_plan_init(cf_gemm_plan *plan, const cf_gemm_desc *desc, const cf_options *options)
    void cf_gemm(const cf_gemm_plan *plan, const void *a, const void *b, const void *bias, void *c, void *workspace)

    ctypedef struct cf_conv_desc:
        cf_dtype dtype
        int64_t n, groups, ic, oc
        int64_t[3] in_ "in"
        int64_t[3] out, kernel, stride, dil, pad
        int channels_last
    ctypedef enum cf_conv_pass:
        CF_FORWARD
        CF_BACKWARD_DATA
        CF_BACKWARD_WEIGHTS
    ctypedef struct cf_slab:
        int64_t[3] block
        int64_t images
    ctypedef struct cf_correlate_plan:
        int64_t rows, units, splits, nv, panels, passes
        cf_slab slab
        int straight, direct, by_rows
    ctypedef struct cf_weights_plan:
        int64_t rows, nv, panels, tiles, chunks, parts
        int flat
    ctypedef struct cf_points_plan:
        int64_t rows, nv, panels, units, parts
    ctypedef struct cf_depthwise_plan:
        int64_t units, parts
        cf_slab slab
        int in_place, folded
    ctypedef enum cf_algorithm:
        CF_AUTO
        CF_DIRECT
        CF_WINOGRAD
    ctypedef struct cf_pieces:
        int64_t m, r, n
    ctypedef struct cf_winograd_plan:
        cf_pieces[3] axis
        int64_t sources, phases, batches, batch_tiles, mr, nv
        int keep_source
        int64_t filter_bytes, v_at, u_at, thread_bytes
    ctypedef struct cf_product_plan:
        cf_gemm_plan gemm
    ctypedef struct cf_conv_plan:
        cf_conv_desc desc
        cf_options options
        cf_conv_pass pass_ "pass"
        int is_depthwise
        cf_depthwise_plan depthwise
        int by_winograd
        cf_winograd_plan winograd
        int is_product
        cf_product_plan product
        cf_correlate_plan correlate
        cf_weights_plan weights
        int lanes_are_points
        cf_points_plan points
        int prepared
        int64_t prepared_bytes, workspace_bytes
    cf_status cf_conv_plan_init(cf_conv_plan *plan, cf_conv_pass which, const cf_conv_desc *desc,
                                cf_algorithm algorithm, int prepared, const cf_options *options)
    void cf_conv_prepare(const cf_conv_plan *plan, const void *w, void *prepared, void *workspace)
    ctypedef struct cf_epilogue:
        const void *norm
        const void *residual
        double low, high
    void cf_conv_forward(const cf_conv_plan *plan, const void *x, const void *w, const void *bias,
                         const cf_epilogue *epilogue, void *y, void *workspace)
    void cf_conv_backward_data(const cf_conv_plan *plan, const void *dy, const void *w, const void *bias,
                               const cf_epilogue *epilogue, void *dx, void *workspace)
    void cf_conv_backward_weights(const cf_conv_plan *plan, const void *x, const void *dy, void *dw, void *workspace)
    cf_status cf_conv_backward_bias(cf_dtype dtype, const cf_options *options, int64_t n, int64_t channels,
                                    int64_t points, const void *dy, void *db)

    ctypedef enum cf_activation_kind:
        CF_RELU
        CF_LEAKY_RELU
        CF_HARDTANH
        CF_SIGMOID
        CF_HARDSIGMOID
        CF_HARDSWISH
        CF_TANH
        CF_GELU
        CF_GELU_TANH
        CF_SILU
    ctypedef struct cf_activation_desc:
        cf_dtype dtype
        cf_activation_kind kind
        double a, b
        int64_t n
    cf_status cf_activation_forward(const cf_activation_desc *d, const cf_options *options, const void *x, void *y)
    cf_status cf_activation_backward(const cf_activation_desc *d, const cf_options *options, const void *x,
                                     const void *dy, void *dx)
    cf_status cf_add(cf_dtype dtype, const cf_options *options, int64_t n, double low, double high, const void *x,
                     const void *z, void *y)
    ctypedef struct cf_prelu_desc:
        cf_dtype dtype
        int64_t n, channels, points, weights
    cf_status cf_prelu_forward(const cf_prelu_desc *d, const cf_options *options, const void *x, const void *weight,
                               void *y)
    cf_status cf_prelu_backward(const cf_prelu_desc *d, const cf_options *options, const void *x, const void *weight,
                                const void *dy, void *dx, void *dw, double *sums)

    ctypedef struct cf_pool_desc:
        cf_dtype dtype
        int adaptive, count_pad
        int64_t planes
        int64_t[3] in_ "in"
        int64_t[3] out, kernel, stride, dil, pad, pad_hi
        int64_t lanes
        double divisor
    ctypedef enum cf_pool_pass:
        CF_MAX_POOL
        CF_MAX_POOL_INDEX
        CF_AVERAGE_POOL
        CF_AVERAGE_POOL_BACKWARD
    ctypedef struct cf_pool_plan:
        cf_options options
        int64_t workspace_bytes
    cf_status cf_pool_plan_init(cf_pool_plan *plan, cf_pool_pass which, const cf_pool_desc *desc,
                                const cf_options *options)
    void cf_pool(const cf_pool_plan *plan, const void *x, void *y, int64_t *index, void *workspace)
    int64_t CF_PLACE_NOWHERE, CF_PLACE_GATHERED
    ctypedef struct cf_place_plan:
        cf_options options
        int64_t workspace_bytes
    cf_status cf_place_plan_init(cf_place_plan *plan, const cf_pool_desc *desc, const cf_options *options)
    void cf_place_max(const cf_place_plan *plan, const void *x, void *y, uint8_t *place, void *workspace)
    void cf_place_max_backward(const cf_pool_desc *desc, const cf_options *options, const void *dy,
                               const uint8_t *place, void *dx)
    ctypedef enum cf_scatter_kind:
        CF_SCATTER_ADD
        CF_SCATTER_SET
        CF_GATHER
    cf_status cf_scatter(cf_scatter_kind kind, cf_dtype dtype, const cf_options *options, int64_t planes,
                         int64_t points, int64_t size, int64_t lanes, const int64_t *index, const void *x,
                         void *y)
    cf_status cf_power(cf_dtype dtype, const cf_options *options, int64_t n, double factor, double exponent,
                       const void *x, void *y)
    cf_status cf_power_backward(cf_dtype dtype, const cf_options *options, int64_t n, double factor, double exponent,
                                int flat_at_zero, const void *x, const void *dy, void *dx)

    ctypedef struct cf_columns_desc:
        cf_dtype dtype
        int64_t n, c
        int64_t[3] in_ "in"
        int64_t[3] out, kernel, stride, dil, pad
        int64_t[4] at
        double fill
    int64_t cf_columns_workspace(const cf_columns_desc *d, const cf_options *options)
    cf_status cf_im2col(const cf_columns_desc *d, const cf_options *options, const void *x, void *cols, void *workspace)
    cf_status cf_col2im(const cf_columns_desc *d, const cf_options *options, const void *cols, void *x, void *workspace)

    int64_t cf_peak_fma(cf_dtype dtype, const cf_options *options, int64_t rounds)
    cf_status cf_peak_stream(cf_dtype dtype, const cf_options *options, int64_t n, const void *src, void *dst)
    int cf_peak_has_tile(cf_dtype dtype, cf_isa isa, int64_t mr, int64_t nv)
    cf_status cf_peak_tile(cf_dtype dtype, cf_isa isa, int64_t mr, int64_t nv, int64_t kc, int64_t rounds,
                           const void *a, const void *b, int32_t *koff, void *y)

    ctypedef struct cf_norm_desc:
        cf_dtype dtype
        int64_t n, channels, points, groups
        double eps, low, high
    ctypedef enum cf_norm_statistics:
        CF_NORM_COMPUTE
        CF_NORM_COMPUTED
        CF_NORM_GIVEN
    cf_status cf_norm_forward(const cf_norm_desc *d, const cf_options *options, cf_norm_statistics statistics,
                              const void *x, const void *weight, const void *bias, const void *z, double *mean,
                              double *variance, void *y)
    cf_status cf_norm_backward(const cf_norm_desc *d, const cf_options *options, cf_norm_statistics statistics,
                               const void *dy, const void *x, const void *weight, const void *bias, double *mean,
                               double *variance, void *dx, double *dweight, double *dbias, void *workspace)
    int64_t cf_norm_workspace_bytes(const cf_norm_desc *d)

    ctypedef struct cf_lrn_desc:
        cf_dtype dtype
        int64_t n, channels, points, size
        double alpha, beta, k
    cf_status cf_lrn_forward(const cf_lrn_desc *d, const cf_options *options, const void *x, void *y)
    cf_status cf_lrn_backward(const cf_lrn_desc *d, const cf_options *options, const void *dy, const void *x, void *dx,
                              void *scratch)

    ctypedef struct cf_sgd:
        double rate, momentum, decay
        int nesterov
    ctypedef struct cf_adam:
        double rate, root, beta1, beta2, eps, decay, keep
    cf_status cf_sgd_step(cf_dtype dtype, const cf_options *options, int64_t n, const cf_sgd *s, const void *grad,
                          void *velocity, void *data)
    cf_status cf_adam_step(cf_dtype dtype, const cf_options *options, int64_t n, const cf_adam *s, const void *grad,
                           void *mean, void *square, void *data)

    ctypedef struct cf_softmax_desc:
        cf_dtype dtype
        int64_t outer, classes, inner
    cf_status cf_softmax_forward(const cf_softmax_desc *d, const cf_options *options, int logarithm, const void *x,
                                 void *y)
    cf_status cf_softmax_backward(const cf_softmax_desc *d, const cf_options *options, int logarithm, const void *y,
                                  const void *dy, void *dx)
    ctypedef struct cf_cross_entropy_desc:
        cf_softmax_desc shape
        const int64_t *target
        const void *probabilities
        const double *weight
        int64_t ignore_index
        double smoothing
    cf_status cf_cross_entropy_forward(const cf_cross_entropy_desc *d, const cf_options *options, const void *x,
                                       double *loss)
    cf_status cf_cross_entropy_backward(const cf_cross_entropy_desc *d, const cf_options *options, const void *x,
                                        const double *grad, void *dx)

    ctypedef struct cf_dropout_desc:
        cf_dtype dtype
        int64_t n, run
        uint64_t seed
        uint32_t threshold
        double scale
    cf_status cf_dropout(const cf_dropout_desc *d, const cf_options *options, const void *x, void *y, uint32_t *kept)
    cf_status cf_dropout_again(const cf_dropout_desc *d, const cf_options *options, const uint32_t *kept,
                               const void *x, void *y)

cdef extern from "kernels/dense.h" nogil:
    int CF_MR_MAX
    int CF_NV_MAX

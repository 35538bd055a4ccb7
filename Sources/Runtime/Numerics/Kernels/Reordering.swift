import COneDNN

/// The same numbers in another order, by oneDNN on the calling thread.
struct Reordering {
  let from: dnnl_memory_desc_t
  let to: dnnl_memory_desc_t

  func run(_ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
    var (from, to) = (from, to)
    var descriptor: dnnl_primitive_desc_t?
    let engine = OneDNN.engine
    check(dnnl_reorder_primitive_desc_create(&descriptor, &from, engine, &to, engine, nil))
    var primitive: dnnl_primitive_t?
    check(dnnl_primitive_create(&primitive, descriptor))
    OneDNN.execute(
      required(primitive),
      [
        // oneDNN takes pointers to memory that it does not change without const.
        OneDNN.Operand(
          argument: DNNL_ARG_FROM, layout: from, address: UnsafeMutableRawPointer(mutating: source)),
        OneDNN.Operand(argument: DNNL_ARG_TO, layout: to, address: target),
      ])
    dnnl_primitive_destroy(primitive)
    dnnl_primitive_desc_destroy(descriptor)
  }
}

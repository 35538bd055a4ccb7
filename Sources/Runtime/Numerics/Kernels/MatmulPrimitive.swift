import COneDNN
import Support
import Synchronization

/// A matrix product of given extents, compiled by oneDNN: out = in · weightᵀ + bias.
///
/// One is used by many threads at once, each with scratch memory of its own, and works on the
/// calling thread alone: threads are `parallelFor`'s business.
final class MatmulPrimitive: @unchecked Sendable {
  // Sendable, as oneDNN's primitives are constant once they are made.

  struct Key: Hashable {
    var rows: Int
    var columns: Int
    var depth: Int
    var inputStride: Int
    var weightStride: Int
    var order: WeightView.Order
    var outputStride: Int
    var hasBias: Bool
    /// Whether the product is added to what the output holds.
    var accumulates: Bool
    /// Whether input and weight are bfloat16; sums and outputs are always float.
    var isBrainFloat: Bool
  }

  let key: Key
  let scratchBytes: Int
  private let primitive: dnnl_primitive_t
  private let descriptor: dnnl_primitive_desc_t
  /// Input, weight, bias, output and scratch, in this order.
  private let layouts: [dnnl_memory_desc_t]

  private static let made = Mutex<[Key: MatmulPrimitive]>([:])
  /// What threads have looked up before: every panel of a product asks.
  private static let known = Striped<[Key: MatmulPrimitive]>([:])

  /// The primitive for these extents, made when they are seen for the first time.
  static func matching(_ key: Key) -> MatmulPrimitive {
    if let primitive = known.withOwn({ $0[key] }) { return primitive }
    let primitive = made.withLock({ $0[key] }) ?? making(key)
    known.withOwn { $0[key] = primitive }
    return primitive
  }

  private static func making(_ key: Key) -> MatmulPrimitive {
    let primitive = MatmulPrimitive(key)
    return made.withLock { made in
      let first = made[key] ?? primitive
      made[key] = first
      return first
    }
  }

  private init(_ key: Key) {
    self.key = key
    let type = key.isBrainFloat ? dnnl_bf16 : dnnl_f32
    let input = Self.layout(type, [key.rows, key.depth], [key.inputStride, 1])
    let weight = Self.weightLayout(key)
    let bias = Self.layout(dnnl_f32, [1, key.columns], [key.columns, 1])
    let output = Self.layout(dnnl_f32, [key.rows, key.columns], [key.outputStride, 1])
    descriptor = Self.describe(key, input, weight, bias, output)
    var primitive: dnnl_primitive_t?
    check(dnnl_primitive_create(&primitive, descriptor))
    self.primitive = required(primitive)
    guard let scratch = dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0) else {
      preconditionFailure("oneDNN has no scratch description")
    }
    layouts = [input, weight, bias, output, scratch.pointee]
    scratchBytes = dnnl_memory_desc_get_size(scratch)
  }

  /// What oneDNN calls the code that it has chosen.
  var implementation: String {
    var name: UnsafePointer<CChar>?
    check(
      withUnsafeMutablePointer(to: &name) {
        dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, $0)
      })
    return name.map { String(cString: $0) } ?? ""
  }

  deinit {
    dnnl_primitive_destroy(primitive)
    dnnl_primitive_desc_destroy(descriptor)
  }

  private static func weightLayout(_ key: Key) -> dnnl_memory_desc_t {
    let type = key.isBrainFloat ? dnnl_bf16 : dnnl_f32
    let shape = [key.depth, key.columns]
    return switch key.order {
    case .rows: layout(type, shape, [1, key.weightStride])
    case .transposed: layout(type, shape, [key.weightStride, 1])
    case .blocked:
      blockedWeight(columns: key.columns, depth: key.depth, isBrainFloat: key.isBrainFloat)
    }
  }

  /// The order in which oneDNN likes a weight best, for full panels of rows whichever take part.
  static func blockedWeight(
    columns: Int, depth: Int, isBrainFloat: Bool
  ) -> dnnl_memory_desc_t {
    let key = Key(
      rows: Kernels.panelRows, columns: columns, depth: depth, inputStride: depth,
      weightStride: 0, order: .rows, outputStride: columns, hasBias: false, accumulates: false,
      isBrainFloat: isBrainFloat)
    let type = isBrainFloat ? dnnl_bf16 : dnnl_f32
    var weight = dnnl_memory_desc_t()
    let shape = [dnnl_dim_t(depth), dnnl_dim_t(columns)]
    check(dnnl_memory_desc_init_by_tag(&weight, 2, shape, type, dnnl_format_tag_any))
    let input = layout(type, [key.rows, depth], [depth, 1])
    let output = layout(dnnl_f32, [key.rows, columns], [columns, 1])
    let descriptor = describe(key, input, weight, output, output)
    defer { dnnl_primitive_desc_destroy(descriptor) }
    guard let chosen = dnnl_primitive_desc_query_md(descriptor, dnnl_query_weights_md, 0) else {
      preconditionFailure("oneDNN has no weight description")
    }
    return chosen.pointee
  }

  static func layout(
    _ type: dnnl_data_type_t, _ shape: [Int], _ strides: [Int]
  ) -> dnnl_memory_desc_t {
    var layout = dnnl_memory_desc_t()
    let (shape, strides) = (shape.map(dnnl_dim_t.init), strides.map(dnnl_dim_t.init))
    check(dnnl_memory_desc_init_by_strides(&layout, Int32(shape.count), shape, type, strides))
    return layout
  }

  private static func describe(
    _ key: Key, _ input: dnnl_memory_desc_t, _ weight: dnnl_memory_desc_t,
    _ bias: dnnl_memory_desc_t, _ output: dnnl_memory_desc_t
  ) -> dnnl_primitive_desc_t {
    var (input, weight, bias, output) = (input, weight, bias, output)
    var operation = dnnl_matmul_desc_t()
    if key.hasBias {
      check(dnnl_matmul_desc_init(&operation, &input, &weight, &bias, &output))
    } else {
      check(dnnl_matmul_desc_init(&operation, &input, &weight, nil, &output))
    }
    let attributes = attributes(key)
    defer { dnnl_primitive_attr_destroy(attributes) }
    var descriptor: dnnl_primitive_desc_t?
    omp_set_num_threads(1)
    check(dnnl_primitive_desc_create(&descriptor, &operation, attributes, OneDNN.engine, nil))
    return required(descriptor)
  }

  private static func attributes(_ key: Key) -> dnnl_primitive_attr_t {
    var attributes: dnnl_primitive_attr_t?
    check(dnnl_primitive_attr_create(&attributes))
    check(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user))
    var operations: dnnl_post_ops_t?
    check(dnnl_post_ops_create(&operations))
    defer { dnnl_post_ops_destroy(operations) }
    if key.accumulates { check(dnnl_post_ops_append_sum(operations, 1)) }
    check(dnnl_primitive_attr_set_post_ops(attributes, operations))
    return required(attributes)
  }

  /// Runs on the calling thread.
  func run(
    input: UnsafeRawPointer, weight: UnsafeRawPointer, bias: UnsafePointer<Float>?,
    output: UnsafeMutablePointer<Float>
  ) {
    let scratch = StoragePool.shared.storage(byteCount: scratchBytes)
    // oneDNN takes pointers to memory that it does not change without const.
    let operands: [(Int32, UnsafeMutableRawPointer?)] = [
      (DNNL_ARG_SRC, UnsafeMutableRawPointer(mutating: input)),
      (DNNL_ARG_WEIGHTS, UnsafeMutableRawPointer(mutating: weight)),
      (DNNL_ARG_BIAS, bias.map { UnsafeMutableRawPointer(mutating: $0) }),
      (DNNL_ARG_DST, UnsafeMutableRawPointer(output)),
      (DNNL_ARG_SCRATCHPAD, scratch.address),
    ]
    OneDNN.execute(
      primitive,
      zip(operands, layouts).compactMap { operand, layout in
        operand.1.map { OneDNN.Operand(argument: operand.0, layout: layout, address: $0) }
      })
    withExtendedLifetime(scratch) {}
  }
}

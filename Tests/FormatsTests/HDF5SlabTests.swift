import TestSupport
import Testing

@testable import Formats

@Suite("Slabs of chunked datasets") struct HDF5SlabTests {
  private func slabs(_ shape: [Int], chunk: [Int], fileBytes: Int) throws -> HDF5Slabs {
    let info = try TensorInfo(name: "w", dtype: .float32, shape: shape)
    let chunks = HDF5Chunks(
      shape: chunk, filters: [], filtersEdges: true, byteCount: 4 * chunk.reduce(1, *))
    let dataset = HDF5Dataset(info: info, address: 0, swapUnit: 1, storage: .chunked(chunks))
    return HDF5Slabs(dataset, chunks, fileBytes: fileBytes)
  }

  @Test(arguments: [
    ([40_000, 1000], [40_000, 1], 160_000_000, 1), ([40_000, 1000], [40_000, 1], 40_000_000, 2),
    ([40_000, 1000], [1, 1000], 0, 1), ([1000, 40_000], [100, 400], 0, 1),
    ([2, 40_000, 1000], [1, 40_000, 1], 320_000_000, 1), ([100], [7], 0, 1),
  ])
  func `no chunk is decoded more often than memory makes it`(
    shape: [Int], chunk: [Int], fileBytes: Int, passes: Int
  ) throws {
    #expect(try slabs(shape, chunk: chunk, fileBytes: fileBytes).passes == passes)
  }

  @Test func `a slab takes no more memory than quickness costs`() throws {
    // One row of 120 MB is cut into slabs of whole chunks.
    let slabs = try slabs([1, 30_000_000], chunk: [1, 100_000], fileBytes: 100_000_000)
    #expect(slabs.passes == 1 && 4 * slabs[0].elementCount <= HDF5Slabs.slabBytes)
  }

  @Test(arguments: [([7, 5, 9], [3, 2, 4]), ([5, 1], [5, 1]), ([10], [3])])
  func `slabs are the whole in order`(shape: [Int], chunk: [Int]) throws {
    let slabs = try slabs(shape, chunk: chunk, fileBytes: 0)
    let whole = HDF5Box(origin: shape.map { _ in 0 }, extents: shape)
    var next = 0
    for index in 0..<slabs.count {
      #expect(whole.index(of: slabs[index].origin) == next)
      next += slabs[index].elementCount
    }
    #expect(next == whole.elementCount)
  }

  @Test func `chunks of a box are told in order, from any place`() {
    let box = HDF5Box(origin: [2, 3], extents: [4, 4])
    let places = box.chunkPlaces(of: [2, 3], 0..<box.chunkCount(of: [2, 3]))
    #expect(places == [[2, 3], [2, 6], [4, 3], [4, 6]])
    #expect(box.chunkPlaces(of: [2, 3], 1..<3) == [[2, 6], [4, 3]])
  }
}

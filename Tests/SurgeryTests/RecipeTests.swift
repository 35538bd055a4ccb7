import Formats
import TestSupport
import Testing

@testable import Surgery

@Suite("Recipes")
struct RecipeTests {
  private let context = RecipeContext(open: { try SurgeryFixtures.blueprint($0) })

  private let steps = [
    RecipeStep("record-base"), RecipeStep("resize", [("image-size", .number(96))]),
    RecipeStep(
      "inject-factors",
      [("rank", .number(4)), ("scale", .number(0.5)), ("blocks", .numbers([0, 2]))]),
    RecipeStep("inject-adapters", [("channels", .number(6)), ("init", .scalar("masam"))]),
    RecipeStep(
      "swap-decoder",
      [("classes", .number(2)), ("class-names", .texts(["left: kidney", "it's \"x\", #1"]))]),
    RecipeStep("set-slices", [("count", .number(3))]),
  ]

  @Test func `a recipe reads back as what was printed`() throws {
    let recipe = Recipe(base: "a b/sam \"x\".pth", steps: steps)
    #expect(try Recipe(yaml: recipe.yaml, file: "r") == recipe)
  }

  @Test func `a recipe makes what its operations make`() throws {
    let made = try Recipe(steps: steps).plan(
      from: SurgeryFixtures.base(), toolVersion: "9", context)
    let model = try Architecture(made)
    #expect(model.factors?.blocks == [0, 2])
    #expect(model.classNames == ["left: kidney", "it's \"x\", #1"])
    #expect(model.slices == 3)
    #expect(made.metadata["wt.family"] == "masam")
    #expect(made.metadata["wt.version"] == "9")
    #expect(made.metadata["wt.recipe"]?.contains("inject-factors: {rank: 4") == true)
    let by = try SurgeryFixtures.base().applying(
      Resize(imageSize: 96),
      InjectFactors(kind: .tt, rank: 4, scale: 0.5, blocks: [0, 2], seed: 1234),
      InjectAdapters(channels: 6, placement: .both, start: .masam, seed: 1234),
      SwapDecoder(kind: .progressive, classes: 2, seed: 1234))
    #expect(try made.contents() == by.contents())
  }

  @Test func `no path of this machine gets into a model`() throws {
    let recipe = Recipe(steps: [
      RecipeStep(
        "apply-delta", [("delta", .scalar("masam/epoch_3.pth")), ("image-size", .number(96))])
    ])
    #expect(recipe.otherInputs == ["masam/epoch_3.pth"])
    let made = try recipe.plan(from: SurgeryFixtures.base(), toolVersion: "9", context)
    for entry in made.metadata.entries { #expect(!entry.value.contains("/")) }
  }

  @Test(arguments: [
    "", "[]", "base: x", "operations: []", "operations: {resize: 1}", "typo: 1",
    "operations: [resize: {image-size: 96}, stretch]", "operations: [resize]",
    "operations: [resize: {image-size: 96, typo: 1}]", "operations: [resize: {image-size: big}]",
    "operations: [resize: {image-size: [96]}]", "operations: [cast: {dtype: f8}]",
    "operations: [inject-factors: {kind: lora2}]", "operations: [inject-factors: {blocks: 1}]",
    "operations: [inject-factors: {seed: -1}]", "operations: [inject-factors: {scale: .nan}]",
    "operations: [{resize: {image-size: 96}, cast: {dtype: f16}}]", "operations: [set-classes]",
    "operations: [set-classes: {map: ['a:b:c']}]", "operations: [merge-factors: {verify: maybe}]",
    "operations: [resize: {image-size: 96", "operations: [apply-delta: {}]",
  ])
  func `a malformed recipe is refused`(yaml: String) {
    let error = #expect(throws: SurgeryError.self) {
      try Recipe(yaml: yaml, file: "r.yaml").plan(
        from: SurgeryFixtures.base(), toolVersion: "9", context)
    }
    #expect(error?.code == .badRecipe)
  }

  @Test func `config.txt completes a delta and never contradicts it`() throws {
    let text = "vit_name: vit_h\nimg_size: 96\nscale: 0.25\n rank : 4\nodd line\nlr: a:b\n"
    let configuration = try RunConfiguration(text: text, file: "config.txt")
    #expect(configuration.imageSize == 96)
    var delta = try SurgeryFixtures.blueprint("masam/epoch_3.pth")
    try configuration.complete(&delta, file: "config.txt")
    #expect(delta.metadata["wt.fact_scale"] == "0.25")
    #expect(delta.notes.count == 2)
    var own = try SurgeryFixtures.delta()
    try configuration.complete(&own, file: "config.txt")
    #expect(own.metadata["wt.fact_scale"] == "0.5")
    let other = try RunConfiguration(text: "rank: 8", file: "config.txt")
    let error = #expect(throws: SurgeryError.self) {
      try other.complete(&delta, file: "config.txt")
    }
    #expect(error?.code == .wrongPairing)
    let bad = #expect(throws: SurgeryError.self) {
      try RunConfiguration(text: "scale: big", file: "config.txt")
    }
    #expect(bad?.code == .badMetadata)
    #expect(try RunConfiguration(beside: Fixtures.path("surgery/masam/epoch_3.pth"))?.scale == 0.5)
    #expect(try RunConfiguration(beside: Fixtures.path("surgery/base.pth")) == nil)
  }

  @Test(arguments: [
    ("wt.fact_scale", "inf"), ("wt.fact_blocks", "2,1"), ("wt.fact_blocks", "0,9"),
    ("wt.slices", "0"), ("wt.class_names", "a"), ("wt.class_names", "a\na"),
    ("wt.image_size", "-1"),
  ])
  func `metadata that cannot be is refused`(key: String, value: String) throws {
    var delta = try SurgeryFixtures.delta()
    delta.metadata[key] = value
    let error = #expect(throws: SurgeryError.self) { try Architecture(delta) }
    #expect(error?.code == .badMetadata)
    #expect(error?.subject == key)
  }

  @Test(arguments: [("hf", "vision_encoder.pos_embed"), ("sam", "image_encoder.pos_embed")])
  func `a recipe may end in another program's form`(_ form: String, _ name: String) throws {
    var base = try SurgeryFixtures.base()
    let mean = TensorName("pixel_mean")
    base.entries.append(
      Blueprint.Entry(
        info: try TensorInfo(name: mean, dtype: .float32, shape: [3, 1, 1]),
        origin: .initialised(.zero)))
    let made = try Recipe(steps: [RecipeStep("express", [("form", .scalar(form))])]).plan(
      from: base, toolVersion: "9", context)
    #expect(made.index(of: TensorName(name)) != nil)
    #expect((made.index(of: mean) == nil) == (form == "hf"))
    #expect(try Architecture(anyDialectOf: made).encoder == Architecture(base).encoder)
  }

  @Test func `config.txt of a run with other classes is refused`() throws {
    let configuration = try RunConfiguration(text: "num_classes: 8\n", file: "config.txt")
    var delta = try SurgeryFixtures.blueprint("masam/epoch_3.pth")
    let error = #expect(throws: SurgeryError.self) {
      try configuration.complete(&delta, file: "config.txt")
    }
    #expect(error?.code == .wrongPairing && error?.found == "8")
  }

  @Test func `a form for a delta with factors in some blocks is refused`() throws {
    let partial = try SurgeryFixtures.base().applying(
      InjectFactors(kind: .tt, rank: 4, blocks: [0, 1], seed: 1),
      SwapDecoder(kind: .sam, classes: 2, seed: 1), ExtractDelta())
    let error = #expect(throws: SurgeryError.self) { try partial.applying(Express(.samed)) }
    #expect(error?.code == .notExpressible)
    let lora = try SurgeryFixtures.blueprint("samed/epoch_3.pth")
    #expect(throws: SurgeryError.self) { try lora.applying(Express(.samed, scale: 3)) }
  }

  @Test func `a base that was made of another is not adapted again`() throws {
    var adapted = try SurgeryFixtures.base().applying(
      SwapDecoder(kind: .sam, classes: 2, seed: 1))
    adapted.metadata["wt.base"] = String(repeating: "a", count: 64)
    let error = #expect(throws: SurgeryError.self) { try adapted.applying(RecordBase()) }
    #expect(error?.code == .alreadyAdapted)
  }

  @Test func `a base may be recorded before a delta is applied`() throws {
    let made = try Recipe(steps: [
      RecipeStep("record-base"), RecipeStep("resize", [("image-size", .number(96))]),
      RecipeStep("apply-delta", [("delta", .scalar("masam/epoch_3.pth"))]),
    ]).plan(from: SurgeryFixtures.base(), toolVersion: "9", context)
    #expect(try Architecture(made).factors != nil)
  }

  @Test func `config.txt of other classes does not matter where nothing is taken from it`() throws {
    let configuration = try RunConfiguration(text: "num_classes: 8\n", file: "config.txt")
    var delta = try SurgeryFixtures.delta()
    try configuration.complete(&delta, file: "config.txt")
  }
}

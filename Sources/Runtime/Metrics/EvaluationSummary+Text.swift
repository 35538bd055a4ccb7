import Support

extension EvaluationSummary {
  /// nnU-Net's `summary.json`, with surface metrics and the counts of defined values beside it.
  ///
  /// Source: `nnunetv2.evaluation.evaluate_predictions.compute_metrics_on_folder`.
  public var json: JSON {
    .object([
      ("protocol", .string(convention.rawValue)),
      ("distance_unit", .string(convention.isPooledInVoxels ? "voxel" : "mm")),
      ("nsd_tolerance_mm", .double(tolerance)),
      ("classes", .object(classes.map { ("\($0.label)", .string($0.name)) })),
      ("foreground_mean", foregroundJSON),
      (
        "foreground_mean_by_folder",
        .object(folders.map { (key: $0.path, value: $0.summary.foregroundJSON) })
      ),
      ("mean", .object(classes.indices.map { ("\(classes[$0].label)", meanJSON($0)) })),
      (
        "metric_per_case",
        .array(
          cases.map { item in
            .object([
              ("prediction_file", .string(item.prediction)),
              ("reference_file", .string(item.reference)),
              (
                "metrics",
                .object(
                  classes.indices.map { ("\(classes[$0].label)", caseJSON(item.classes[$0])) })
              ),
            ])
          })
      ),
    ])
  }

  private func caseJSON(_ result: ClassResult) -> JSON {
    let counts = Self.counts.map { ($0.name, JSON.int($0.count(result.overlap))) }
    return .object(
      metrics.map { ($0.name, result[$0].map(JSON.double) ?? .null) } + counts)
  }

  private func meanJSON(_ place: Int) -> JSON {
    var fields: [(key: String, value: JSON)] = []
    for metric in metrics {
      let mean = mean(metric, ofClass: place)
      fields.append((metric.name, mean.value.map(JSON.double) ?? .null))
      fields.append((metric.name + "_defined", .int(mean.defined)))
      if metric.isDistance {
        fields.append((metric.name + "_penalised", mean.penalised.map(JSON.double) ?? .null))
      }
    }
    return .object(fields + Self.counts.map { ($0.name, .double(meanCount($0.count, place))) })
  }

  private var foregroundJSON: JSON {
    var fields: [(key: String, value: JSON)] = []
    for metric in metrics {
      fields.append((metric.name, foregroundMean(metric).map(JSON.double) ?? .null))
      if metric.isDistance {
        fields.append((metric.name + "_penalised", penalisedMean(metric).map(JSON.double) ?? .null))
      }
    }
    let counts = Self.counts.map { item in
      (item.name, mean(foreground.map { meanCount(item.count, $0) }).map(JSON.double) ?? .null)
    }
    return .object(fields + counts)
  }

  private func meanCount(_ count: (Overlap) -> Int, _ place: Int) -> Double {
    mean(cases.map { Double(count($0.classes[place].overlap)) }) ?? .nan
  }

  private static var counts: [(name: String, count: (Overlap) -> Int)] {
    [
      ("TP", { $0.truePositives }), ("FP", { $0.falsePositives }), ("FN", { $0.falseNegatives }),
      ("TN", { $0.trueNegatives }), ("n_pred", { $0.predicted }), ("n_ref", { $0.reference }),
    ]
  }

  /// One line for each class of each case; undefined values are empty fields.
  public var csv: String {
    let header = ["case", "label", "class"] + metrics.map(\.name) + Self.counts.map(\.name)
    var lines = [header.joined(separator: ",")]
    for item in cases {
      for (place, result) in item.classes.enumerated() {
        var fields = [item.reference, "\(classes[place].label)", classes[place].name]
          .map(Self.quotedForCSV)
        fields += metrics.map { result[$0].map { "\($0)" } ?? "" }
        fields += Self.counts.map { "\($0.count(result.overlap))" }
        lines.append(fields.joined(separator: ","))
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Source: RFC 4180.
  private static func quotedForCSV(_ text: String) -> String {
    guard text.contains(where: { ",\"\r\n".contains($0) }) else { return text }
    return "\""
      + text.split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\"\"") + "\""
  }
}

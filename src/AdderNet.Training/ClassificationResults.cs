namespace AdderNet.Training;

/// <summary>What an evaluation of a classifier reached, by name.</summary>
public static class ClassificationResults
{
    extension(EvaluationResult result)
    {
        /// <summary>Mean cross-entropy.</summary>
        public double Loss => result.Values[ClassificationMetrics.LossName];

        /// <summary>Share (0 to 1) of the images whose first guess is right.</summary>
        public double Top1 => result.Values[ClassificationMetrics.Top1Name];

        /// <summary>Share of the images whose label is among the first five guesses.</summary>
        public double Top5 => result.Values[ClassificationMetrics.Top5Name];
    }
}

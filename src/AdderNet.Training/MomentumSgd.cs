using AdderNet.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>TorchSharp's SGD, with a state that can be saved under the parameters' names and restored to the bit.</summary>
internal sealed class MomentumSgd : IDisposable
{
    private readonly (string Name, Parameter Parameter)[] parameters;
    private readonly SGD sgd;

    public MomentumSgd(ITrainingTask task, Recipe recipe)
    {
        parameters = [.. task.NamedModules().SelectMany(m => m.Module.named_parameters()
            .Where(p => p.parameter.requires_grad).Select(p => (m.Prefix + p.name, p.parameter)))];
        if (parameters.Length == 0)
        {
            throw new TrainingException("The model has no parameter to train.");
        }

        sgd = optim.SGD(
            parameters.Select(p => p.Parameter).ToArray(), recipe.LearningRate, recipe.Momentum, 0, recipe.WeightDecay, recipe.Nesterov);
    }

    /// <summary>The parameters that are trained, in the modules' order.</summary>
    public IEnumerable<Parameter> Parameters => parameters.Select(p => p.Parameter);

    /// <summary>The momentum buffers that exist: those of parameters which have had a gradient.</summary>
    public Dictionary<string, TensorData> State =>
        States().Where(s => s.State.momentum_buffer is not null).ToDictionary(s => s.Name, s => s.State.momentum_buffer.ToTensorData());

    public void Step(double learningRate)
    {
        foreach (optim.ILearningRateController group in sgd.ParamGroups)
        {
            group.LearningRate = learningRate;
        }

        sgd.step();
    }

    /// <summary>Restores the buffers.</summary>
    /// <exception cref="TrainingException">They belong to another model.</exception>
    public void Load(IReadOnlyDictionary<string, TensorData> saved, string source)
    {
        if (saved.Keys.Except(parameters.Select(p => p.Name)).FirstOrDefault() is { } unexpected)
        {
            throw new TrainingException($"{source} is of another model: it has momentum for '{unexpected}', which this one doesn't train.");
        }

        foreach (var (name, parameter, state) in States())
        {
            state.momentum_buffer?.Dispose();
            state.momentum_buffer = null!;
            if (saved.TryGetValue(name, out TensorData? buffer))
            {
                state.momentum_buffer = buffer.Shape.SequenceEqual(parameter.shape) && buffer.Dtype == TensorDtype.F32
                    ? buffer.ToTensor().DetachFromDisposeScope()
                    : throw new TrainingException(
                        $"{source} is of another model: its momentum for '{name}' is {buffer}, but the parameter is [{string.Join(", ", parameter.shape)}].");
            }
        }
    }

    public void Dispose() => sgd.Dispose();

    private IEnumerable<(string Name, Parameter Parameter, SGD.State State)> States() =>
        parameters.Zip(sgd.state_dict().State, (p, s) => (p.Name, p.Parameter, (SGD.State)s));
}

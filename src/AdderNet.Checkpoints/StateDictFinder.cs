using System.Numerics;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>The state dict in what a PyTorch file holds.</summary>
/// <param name="Tensors">By name: a <see cref="PickledTensor"/>, or what stands in its place and is not read.</param>
/// <param name="Path">The keys and attributes that lead to it; empty where it is the saved value itself.</param>
/// <param name="Others">Where else weights are that could have been meant.</param>
internal sealed record FoundStateDict(OrderedDictionary<string, object?> Tensors, string Path, IReadOnlyList<string> Others);

/// <summary>
/// Finds the weights among what training scripts save: a state dict, alone or beside epoch, optimizer and options; a whole module, as
/// <c>torch.save(model, ...)</c> writes it, of whatever class; moving averages of them.
/// </summary>
internal sealed class StateDictFinder(string file, MemoryBudget budget)
{
    private const int CostOfVisit = 96, DeepestWrapping = 5, DeepestModule = 200;

    // Keys that hold the model, the likeliest first. A moving average comes after the weights themselves.
    private static readonly string[] KnownKeys =
    [
        "state_dict", "model_state_dict", "model_state", "model", "net", "net_state_dict", "network", "model_weights", "weights", "params",
        "module", "state", "state_dict_ema", "model_state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "net_ema", "params_ema", "ema", "shadow",
    ];

    // Keys of what has tensors, too, but is no model.
    private static readonly string[] NoModels = ["optim", "sched", "scaler", "criterion", "_metadata", "rng"];

    /// <exception cref="CheckpointException">There is none; the message says what is there.</exception>
    public FoundStateDict Find(object? root) => Search(root, "", 0) ?? throw new CheckpointException(
        $"{file} holds {Describe(root)} where a state dict has tensors by name; in Python, " + (HoldsArrays(root)
            ? "make a tensor of each with torch.from_numpy(...) and save their dictionary with torch.save(...)."
            : "save the weights alone with torch.save(model.state_dict(), ...)."));

    /// <summary>A value in a word or two, for messages.</summary>
    public static string Describe(object? value) => value switch
    {
        null => "nothing (None)",
        bool or long or BigInteger or double => "a number",
        string => "text",
        byte[] => "bytes",
        PickledObject { Type: PickledObject.Dict } => HoldsArrays(value) ? "a dictionary of NumPy arrays" : "a dictionary without tensors",
        PickledObject thing => $"{Shown(thing.Type)}",
        PickledTensor or PickledUnreadable => "a single tensor",
        List<object?> => "a list",
        object?[] => "a tuple",
        PickledGlobal name => $"the name {Shown(name.Name)}",
        _ => "something that is no tensor",
    };

    private FoundStateDict? Search(object? value, string path, int depth)
    {
        budget.Take(CostOfVisit);
        if (Module(value) is not null)
            return Flattened(value!) is { Count: > 0 } parameters ? new(parameters, path, []) : null;
        // A dictionary may hold itself, so the number of steps inwards is limited.
        if (depth > DeepestWrapping) return null;
        (string Key, FoundStateDict Found)[] inner = [.. Children(value)
            .Select(child => (child.Key, Found: Search(child.Value, path.Length == 0 ? child.Key : $"{path}.{child.Key}", depth + 1)))
            .Where(child => child.Found is not null).Select(child => (child.Key, Found: child.Found!))
            .OrderBy(child => Rank(child.Key)).ThenByDescending(child => Tensors(child.Found))];
        FoundStateDict? own = OwnTensors(value) is { Count: > 0 } tensors ? new(tensors, path, []) : null;
        if (inner is not [var best, ..]) return own;
        // Tensors beside the model, such as its best accuracy, do not make the whole a state dict.
        if (own is not null && Rank(best.Key) == KnownKeys.Length && Tensors(own) > Tensors(best.Found)) return own;
        return best.Found with { Others = [.. best.Found.Others, .. inner[1..].Select(other => other.Found.Path)] };
    }

    private static int Rank(string key)
    {
        int known = Array.IndexOf(KnownKeys, key.ToLowerInvariant());
        return known >= 0 ? known : KnownKeys.Length;
    }

    private static OrderedDictionary<string, object?> OwnTensors(object? value)
    {
        OrderedDictionary<string, object?> named = [];
        if (value is not PickledObject thing) return named;
        foreach ((object? key, object? item) in Items(thing))
            if (key is string name) named[name] = item;
        return named.Values.Any(IsTensor) ? named : [];
    }

    private static IReadOnlyList<KeyValuePair<object?, object?>> Items(PickledObject thing) =>
        thing.Entries.Count > 0 ? thing.Entries : thing.Attributes?.Entries ?? [];

    private static int Tensors(FoundStateDict found) => found.Tensors.Values.Count(IsTensor);

    private static IEnumerable<(string Key, object? Value)> Children(object? value)
    {
        IEnumerable<KeyValuePair<object?, object?>> entries = value switch
        {
            PickledObject thing => Items(thing),
            IReadOnlyList<object?> { Count: <= 16 } list => list.Select((item, i) => KeyValuePair.Create<object?, object?>($"[{i}]", item)),
            _ => [],
        };
        return entries.Where(entry => entry.Key is string key && entry.Value is PickledObject or IReadOnlyList<object?>
                && !NoModels.Any(no => key.Contains(no, StringComparison.OrdinalIgnoreCase)))
            .Select(entry => ((string)entry.Key!, entry.Value));
    }

    // torch.nn.Module keeps its parts in three dictionaries; a traced one keeps its attributes as the argument of what would rebuild it.
    private static PickledObject? Module(object? value) =>
        value is not PickledObject thing ? null
        : IsModule(thing.Attributes) ? thing.Attributes
        : thing.Arguments is [PickledObject first, ..] && IsModule(first) ? first
        : null;

    private static bool IsModule(PickledObject? attributes) =>
        attributes is not null && attributes["_parameters"] is PickledObject && attributes["_modules"] is PickledObject;

    /// <summary>What <c>state_dict()</c> of a module gives: parameters and buffers, then those of its children, behind their names.</summary>
    private OrderedDictionary<string, object?> Flattened(object root)
    {
        OrderedDictionary<string, object?> named = [];
        Stack<(string Prefix, object? Module, int Depth)> left = new([("", root, 0)]);
        while (left.TryPop(out (string Prefix, object? Module, int Depth) next))
        {
            budget.Take(CostOfVisit + sizeof(char) * next.Prefix.Length);
            if (next.Depth > DeepestModule) throw Damaged(file, "its modules hold each other without end");
            if (Module(next.Module) is not { } module) continue;
            HashSet<string> passing = Members(module["_non_persistent_buffers_set"]);
            foreach ((string name, object? tensor) in Named(module["_parameters"]))
                if (tensor is not null) Add(next.Prefix + name, tensor);
            foreach ((string name, object? tensor) in Named(module["_buffers"]))
                if (tensor is not null && !passing.Contains(name)) Add(next.Prefix + name, tensor);
            foreach ((string name, object? child) in Enumerable.Reverse(Named(module["_modules"])))
                if (child is not null) left.Push(($"{next.Prefix}{name}.", child, next.Depth + 1));
        }
        return named;

        void Add(string name, object tensor)
        {
            budget.Take(CostOfVisit + sizeof(char) * name.Length);
            named[name] = tensor;
        }
    }

    private static List<(string Name, object? Value)> Named(object? dictionary) =>
        dictionary is PickledObject { Entries: var entries }
            ? [.. entries.Where(entry => entry.Key is string).Select(entry => ((string)entry.Key!, entry.Value))]
            : [];

    // A set lies in the pickle as its items or, before protocol 4, as a call with their list.
    private static HashSet<string> Members(object? set) => set is not PickledObject { Entries: var entries, Arguments: var arguments } ? []
        : [.. entries.Select(entry => entry.Key).Concat(arguments is [List<object?> list] ? list : []).OfType<string>()];

    private static bool IsTensor(object? value) => value is PickledTensor or PickledUnreadable;

    private static bool HoldsArrays(object? value) =>
        value is PickledObject { Type: PickledObject.Dict, Entries: var entries } && entries.Any(entry => entry.Value is PickledObject { IsNumPyArray: true });
}

using System.Text.Json;

namespace AdderNet.Checkpoints.Tests;

public class ModelCardTests
{
    [Fact]
    public void A_card_comes_back_with_what_only_training_knows()
    {
        JsonElement recipe = JsonSerializer.SerializeToElement(new { model = "lenet5-bn", epochs = 4 }), metrics = JsonSerializer.SerializeToElement(new { epoch = 4 });
        Dictionary<string, string> metadata = new ModelCard(recipe, 3, ["Katze", "Hündin 🐕"], metrics).ToMetadata();
        Assert.Equal("pt", metadata["format"]);
        Assert.Equal("""{"recipe":{"model":"lenet5-bn","epochs":4},"inputChannels":3,"classNames":["Katze","Hündin 🐕"],"metrics":{"epoch":4}}""",
            metadata["addernet"].Replace("\\uD83D\\uDC15", "🐕"));
        ModelCard card = ModelCard.Read(metadata, "file")!;
        Assert.Equal((3, "lenet5-bn", 4), (card.InputChannels, card.Recipe.GetProperty("model").GetString(), card.Metrics.GetProperty("epoch").GetInt32()));
        Assert.Equal(["Katze", "Hündin 🐕"], card.ClassNames);
    }

    [Fact]
    public void A_file_of_other_programs_has_no_card() => Assert.Null(ModelCard.Read(new Dictionary<string, string> { ["format"] = "pt" }, "file"));

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"recipe":{},"inputChannels":0,"classNames":["a"],"metrics":{}}""")]
    [InlineData("""{"recipe":{},"inputChannels":3,"classNames":[],"metrics":{}}""")]
    [InlineData("""{"recipe":{},"inputChannels":3,"classNames":["a",null],"metrics":{}}""")]
    [InlineData("""{"recipe":{},"inputChannels":3,"inputChannels":3,"classNames":["a"],"metrics":{}}""")]
    public void A_damaged_card_is_told_with_its_file(string json) => Assert.StartsWith(
        "The description in file is damaged: ",
        Assert.Throws<CheckpointException>(() => ModelCard.Read(new Dictionary<string, string> { ["addernet"] = json }, "file")).Message,
        StringComparison.Ordinal);
}

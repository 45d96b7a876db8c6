// RTNeural's Eigen back end: LSTM layers and a dense layer, with sizes fixed when this file is compiled.
//
//     step WEIGHTS.safetensors f32 FORM       prints `ready`, then a line for every line on stdin, as ../step.py says
//
// Forms:
//     inputs   a token is one of VOCAB inputs that is 1, the others 0: the only way in that RTNeural has
//     scalar   the first layer has one input, always 1, whose weights are those of token 0. It computes what the others
//              compute for a text of token 0 alone (run.py compares that), and reads no more than an engine that looks
//              rows up: what RTNeural would take if it could. It is no way to run a model.
//
// RTNeural keeps the bias as the weights of one more input, so a layer is one product [4 * HIDDEN, inputs + HIDDEN + 1].
//
// run.py compiles this with LAYERS (1 or 2), HIDDEN and VOCAB defined. EIGEN_STACK_ALLOCATION_LIMIT has to be 0: Eigen
// refuses matrices of fixed size above 128 KiB otherwise, on the stack or not. Ours is on the heap.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <RTNeural/RTNeural.h>

namespace
{
using Matrix = std::vector<std::vector<float>>; // rows

// The tensors of a safetensors file: 8 bytes of length, little-endian; a JSON header of that length; the data.
class Weights
{
public:
    explicit Weights(const std::string& path)
    {
        std::ifstream file(path, std::ios::binary);
        std::uint64_t length = 0;
        if(!file.read(reinterpret_cast<char*>(&length), sizeof length) || length > (1u << 20))
            throw std::runtime_error(path + ": not a safetensors file");
        std::string text(length, ' ');
        file.read(&text[0], static_cast<std::streamsize>(length));
        header = nlohmann::json::parse(text);
        data.assign(std::istreambuf_iterator<char>(file), {});
    }

    // [rows, columns] row-major; one row where the tensor has one axis.
    Matrix matrix(const std::string& name) const
    {
        const auto& entry = header.at(name);
        const auto shape = entry.at("shape").get<std::vector<std::size_t>>();
        const auto bounds = entry.at("data_offsets").get<std::vector<std::size_t>>();
        const std::size_t columns = shape.back(), rows = shape.size() == 1 ? 1 : shape.at(0);
        if(entry.at("dtype") != "F32" || bounds.at(1) > data.size() || bounds[1] - bounds.at(0) != 4 * rows * columns)
            throw std::runtime_error(name + ": not a whole tensor of f32");
        Matrix values(rows, std::vector<float>(columns));
        for(std::size_t row = 0; row < rows; ++row)
            std::memcpy(values[row].data(), data.data() + bounds[0] + 4 * row * columns, 4 * columns);
        return values;
    }

    std::vector<float> vector(const std::string& name) const { return matrix(name).front(); }

private:
    nlohmann::json header;
    std::vector<char> data;
};

Matrix transposed(const Matrix& m)
{
    Matrix t(m.front().size(), std::vector<float>(m.size()));
    for(std::size_t row = 0; row < m.size(); ++row)
        for(std::size_t column = 0; column < t.size(); ++column)
            t[column][row] = m[row][column];
    return t;
}

// Gates are in the order i, f, g, o on both sides. input: [inputs, 4 * HIDDEN].
template <typename Layer>
void load(Layer& layer, const Weights& weights, int k, const Matrix& input)
{
    const auto suffix = "_l" + std::to_string(k);
    auto bias = weights.vector("rnn.bias_ih" + suffix);
    const auto second = weights.vector("rnn.bias_hh" + suffix);
    for(std::size_t row = 0; row < bias.size(); ++row)
        bias[row] += second[row];
    const auto recurrent = transposed(weights.matrix("rnn.weight_hh" + suffix));
    if(input.size() != Layer::in_size || recurrent.size() != Layer::out_size || bias.size() != 4 * Layer::out_size)
        throw std::runtime_error("compiled for other sizes than those of layer " + std::to_string(k));
    layer.setWVals(input);
    layer.setUVals(recurrent);
    layer.setBVals(bias);
}

template <int inputs>
using Lstm = RTNeural::LSTMLayerT<float, inputs, HIDDEN>;
using Head = RTNeural::DenseT<float, HIDDEN, VOCAB>;
#if LAYERS == 1
template <int inputs>
using Model = RTNeural::ModelT<float, inputs, VOCAB, Lstm<inputs>, Head>;
#elif LAYERS == 2
template <int inputs>
using Model = RTNeural::ModelT<float, inputs, VOCAB, Lstm<inputs>, Lstm<HIDDEN>, Head>;
#else
#error "one or two layers"
#endif

template <int inputs>
class Peer
{
public:
    explicit Peer(const Weights& weights)
    {
        auto first = transposed(weights.matrix("rnn.weight_ih_l0"));
        first.resize(inputs); // the form `scalar` keeps token 0
        load(model->template get<0>(), weights, 0, first);
#if LAYERS == 2
        load(model->template get<1>(), weights, 1, transposed(weights.matrix("rnn.weight_ih_l1")));
#endif
        auto& head = model->template get<LAYERS>();
        const auto bias = weights.vector("head.bias");
        if(bias.size() != VOCAB)
            throw std::runtime_error("compiled for another vocabulary");
        head.setWeights(weights.matrix("head.weight"));
        head.setBias(bias.data());
        reset();
    }

    void reset() { model->reset(); }

    void step(int token)
    {
        if(inputs > 1)
        {
            input[last] = 0;
            last = token;
        }
        input[last] = 1;
        model->forward(input);
    }

    void answer(const std::string& line)
    {
        std::istringstream words(line);
        std::string request;
        words >> request;
        std::vector<int> numbers;
        for(int number; words >> number;)
            numbers.push_back(number);
        if(request == "logits")
            logits(numbers);
        else if(request == "time" && numbers.size() == 1)
            time(numbers[0]);
        else
            throw std::runtime_error("not a request: " + line);
    }

private:
    void logits(const std::vector<int>& tokens)
    {
        reset();
        for(int token : tokens)
        {
            if(token < 0 || token >= inputs)
                throw std::runtime_error("no token " + std::to_string(token) + " in this form");
            step(token);
        }
        for(int i = 0; i < VOCAB; ++i)
            std::printf("%.9g%c", static_cast<double>(model->getOutputs()[i]), i + 1 < VOCAB ? ' ' : '\n');
    }

    void time(int count)
    {
        run(2);
        const auto start = std::chrono::steady_clock::now();
        run(count);
        const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
        std::printf("%.3f\n", elapsed.count() / count);
    }

    // The same tokens as Gatelet's: every column gets its turn.
    void run(int count)
    {
        for(int i = 0; i < count; ++i)
        {
            turn = (turn + 37) % VOCAB;
            step(turn);
            // The logits count as read, every step.
            asm volatile("" : : "r"(model->getOutputs()) : "memory");
        }
    }

    // Layers point into themselves, so the model stays where it was made.
    std::unique_ptr<Model<inputs>> model = std::make_unique<Model<inputs>>();
    alignas(64) float input[inputs] = {};
    int last = 0;
    int turn = 0;
};

template <int inputs>
void serve(const Weights& weights)
{
    auto peer = std::make_unique<Peer<inputs>>(weights);
    std::puts("ready");
    std::fflush(stdout);
    for(std::string line; std::getline(std::cin, line);)
    {
        peer->answer(line);
        std::fflush(stdout);
    }
}
}

int main(int count, char** words)
{
    try
    {
        if(count != 4 || words[2] != std::string("f32"))
            throw std::runtime_error("step WEIGHTS.safetensors f32 inputs|scalar");
        const Weights weights(words[1]);
        if(words[3] == std::string("inputs"))
            serve<VOCAB>(weights);
        else if(words[3] == std::string("scalar"))
            serve<1>(weights);
        else
            throw std::runtime_error("no form " + std::string(words[3]));
    }
    catch(const std::exception& error)
    {
        std::fprintf(stderr, "Error: %s\n", error.what());
        return 1;
    }
}

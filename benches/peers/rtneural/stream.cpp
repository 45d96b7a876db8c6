// RTNeural: a layer of HIDDEN units on one number, and a dense layer to one, with sizes fixed when this
// file is compiled.
//
//     stream MODEL.json       prints `ready`, then a line for every line on stdin:
//         values 0.5 -1       the outputs after each of these inputs, from the zero state
//         time 1000           nanoseconds a step, mean of 1000, after two untimed ones
//
// ../stream.py compiles this with GRU (0: an LSTM) and HIDDEN defined, once for each of RTNeural's back
// ends.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>

#include <RTNeural/RTNeural.h>

namespace
{
#if GRU
using Layer = RTNeural::GRULayerT<float, 1, HIDDEN>;
#else
using Layer = RTNeural::LSTMLayerT<float, 1, HIDDEN>;
#endif
using Model = RTNeural::ModelT<float, 1, 1, Layer, RTNeural::DenseT<float, HIDDEN, 1>>;

// The inputs of a timed run, the same as Gatelet's: in steps of 1/64, within 1.
void run(Model& model, int& turn, int count)
{
    for(int i = 0; i < count; ++i)
    {
        turn = (turn + 37) % 129;
        alignas(64) float input[1] = { static_cast<float>(turn - 64) / 64 };
        volatile float output = model.forward(input);
        (void) output;
    }
}

void serve(Model& model)
{
    int turn = 0;
    std::puts("ready");
    std::fflush(stdout);
    for(std::string line; std::getline(std::cin, line);)
    {
        std::istringstream words(line);
        std::string request;
        words >> request;
        if(request == "values")
        {
            model.reset();
            for(float x; words >> x;)
            {
                alignas(64) float input[1] = { x };
                std::printf("%.9g ", static_cast<double>(model.forward(input)));
            }
            std::putchar('\n');
        }
        else if(int count; request == "time" && words >> count)
        {
            run(model, turn, 2);
            const auto start = std::chrono::steady_clock::now();
            run(model, turn, count);
            const auto elapsed = std::chrono::steady_clock::now() - start;
            const std::chrono::duration<double, std::nano> nanoseconds = elapsed;
            std::printf("%.3f\n", nanoseconds.count() / count);
        }
        else
            throw std::runtime_error("not a request: " + line);
        std::fflush(stdout);
    }
}
}

int main(int count, char** words)
{
    try
    {
        if(count != 2)
            throw std::runtime_error("stream MODEL.json");
        std::ifstream file(words[1]);
        if(!file)
            throw std::runtime_error(std::string(words[1]) + ": cannot be read");
        // In memory of zeros: where the units are no whole vectors, xsimd's products read past a
        // matrix.
        void* place = std::aligned_alloc(64, (sizeof(Model) + 63) / 64 * 64);
        std::memset(place, 0, sizeof(Model));
        auto* model = new(place) Model();
        model->parseJson(file);
        model->reset();
        serve(*model);
    }
    catch(const std::exception& error)
    {
        std::fprintf(stderr, "Error: %s\n", error.what());
        return 1;
    }
}

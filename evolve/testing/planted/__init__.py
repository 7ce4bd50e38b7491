"""A search whose answer is known, to see whether what a prompt shows of failures leads there.

`start` is a weak program, `rewrites` a library of changes to it, `reflector` a scripted model that knows these and
sees nothing but the prompt, `optimum` the best program of each sub-task of chronicle, `hunt` the search as a whole.
For counting calls, `swift` is a search with a model as task agent, `models` are its models and `inside` its sandbox,
all in this process.
"""

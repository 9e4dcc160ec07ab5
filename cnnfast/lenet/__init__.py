"""LeNet-5 on handwritten digits: what the commands `cnnfast lenet` and `cnnfast predict` run."""

# Everything runs in .venv, which `make setup` makes from requirements.lock and every target brings up to date.
PYTHON ?= python3
RUN := .venv/bin/python
# Small machines are several times slower when BLAS takes a second thread.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help setup lock demo cosim-imagenet test test-long lint bench accuracy verilog sim prove synth cost netlist bitstream models clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## make .venv from the pinned packages; nothing to do when up to date
	@$(PYTHON) -I wesnpu/bootstrap.py

lock: ## resolve pyproject.toml and pin the result in requirements.lock
	@$(PYTHON) -I wesnpu/bootstrap.py --lock

demo: setup ## the main job: a real network from ONNX to RTL, bit-exact, with a report
	@$(RUN) -m wesnpu.demo

cosim-imagenet: setup ## [IMAGES=DIR LIMIT=1 PROCESSES=2] EfficientNet-Lite0 on simulated RTL, every tensor compared
	@$(RUN) -m models.build efficientnet_lite0 && $(RUN) -m wesnpu.imagenet $(if $(IMAGES),--images $(IMAGES)) $(if $(LIMIT),--limit $(LIMIT)) $(if $(PROCESSES),--processes $(PROCESSES))

test: setup ## all tests but the long ones
	@$(RUN) -m pytest -q -m "not long" -n auto --dist worksteal

test-long: setup ## all tests
	@$(RUN) -m pytest -q

lint: setup ## style and types
	@$(RUN) -m ruff check . && $(RUN) -m mypy

bench: setup ## speed of golden model and quantization, as ratios to onnxruntime in one run
	@$(RUN) -m tests.bench_golden && $(RUN) -m models.build efficientnet_lite0 && $(RUN) -m quant.bench_quantize

accuracy: setup ## [IMAGES=DIR NETWORKS="fashion stress efficientnet" SCHEDULER=tcp://...] every method, docs/accuracy.md
	@$(RUN) -m wesnpu.accuracy $(if $(IMAGES),--images $(IMAGES)) $(if $(NETWORKS),--networks $(NETWORKS)) \
	  $(if $(SCHEDULER),--scheduler $(SCHEDULER))

verilog: setup ## [CONFIG=large] write the engine to build/verilog/
	@$(RUN) -m rtl.generate $(CONFIG)

sim: setup ## TEST=conv_shift [CONFIG= SEED= STALLS= INITIAL= WAVES=1] run one simulation; without TEST list them
	@$(RUN) -m sim $(TEST) $(if $(CONFIG),--config $(CONFIG)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(STALLS),--stalls $(STALLS)) $(if $(INITIAL),--initial $(INITIAL)) $(if $(WAVES),--waves)

prove: setup ## formal proofs of the requantizer and the streams
	@$(RUN) -m rtl.prove

synth: ## [CONFIG=medium DEVICE=85f BLOCK=engine SEEDS=5] area and routed clock frequency on an FPGA
	@$(PYTHON) -I wesnpu/bootstrap.py --extra synth
	@$(RUN) -m fpga $(if $(CONFIG),--config $(CONFIG)) $(if $(DEVICE),--device $(DEVICE)) $(if $(BLOCK),--block $(BLOCK)) $(if $(SEEDS),--seeds $(SEEDS))

bitstream: ## BOARD=ulx3s_85f|ecpix5_85f|icebreaker [SEED=1] the file for a board's FPGA, in build/bitstream/
	@$(PYTHON) -I wesnpu/bootstrap.py --extra synth
	@$(RUN) -m board $(BOARD) $(if $(SEED),--seed $(SEED))

cost: ## [DEVICE=25f SEEDS=5 IMAGES=DIR] what each requantizer costs on an FPGA and what it is worth: docs/cost.md
	@$(PYTHON) -I wesnpu/bootstrap.py --extra synth
	@$(RUN) -m wesnpu.cost $(if $(DEVICE),--device $(DEVICE)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(IMAGES),--images $(IMAGES))

netlist: setup ## [CONFIG=nano DEVICE=up5k | BOARD=icebreaker] simulate what synthesis made of an engine, or of a board
	@$(RUN) $(if $(BOARD),-m wesnpu.board_netlist $(BOARD),-m fpga.netlist_cases \
	  $(if $(CONFIG),--config $(CONFIG)) $(if $(DEVICE),--device $(DEVICE)))

models: setup ## build the ImageNet-sized networks into the cache folder
	@$(RUN) -m models.build $(MODEL)

clean: ## remove build/ and caches, keep .venv
	@rm -rf build .pytest_cache .ruff_cache .mypy_cache .hypothesis && find . -name __pycache__ -not -path './.venv/*' -exec rm -rf {} +

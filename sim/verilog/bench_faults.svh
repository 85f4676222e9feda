// A broken rule: told on the standard output and in fault.txt, whose presence ends the run.
`ifndef BENCH_FAULTS
`define BENCH_FAULTS
`define FAULT(message) \
    begin \
        automatic int fault_file; \
        fault_file = $fopen("fault.txt", "a"); \
        $fwrite(fault_file, "%s\n", message); \
        $fclose(fault_file); \
        bench_fault_pkg::faults = bench_fault_pkg::faults + 1; \
    end
`endif

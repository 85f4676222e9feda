// Number of rules broken since the start of the simulation.
package bench_fault_pkg;
    int unsigned faults = 0;
endpackage

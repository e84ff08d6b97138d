// Command osm-controller is the control plane of one mesh. It watches workloads and policies, serves their configuration to
// sidecars over xDS, and validates policies at admission.
//
// Its input is flags and the objects of the API server. Its output is xDS, admission responses, conditions of policies,
// health endpoints and metrics.
package main

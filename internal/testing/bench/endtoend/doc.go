// Package endtoend measures changes from the write of an object to the acknowledgements of sidecars.
//
// A generated mesh flows in. Its objects, pods and tokens are created in a real API server, and the real osm-controller reads them and
// serves simulated sidecars. The time, CPU time, bytes and API requests of each change flow out. For the operator, pods that no kubelet runs
// flow in, and the CPU time of each event flows out.
package endtoend

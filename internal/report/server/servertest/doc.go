// Package servertest proves with a real API server who may read a report, with the permissions that the control plane is
// installed with. It holds tests alone.
package servertest

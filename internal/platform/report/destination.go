package report

import "regexp"

// Names of upstream clusters that carry requests of applications. A sidecar has others, for probes, metrics, traces, decisions and the
// control plane.
var (
	serviceCluster = regexp.MustCompile(`^([^/|]+/[^/|]+)[|]([0-9]+)([|]pods|[|]local)?$`)
	outsideCluster = regexp.MustCompile(`^(?:[^/|]+[:_][0-9]+|[0-9]+|passthrough-outbound)$`)
)

// Destination is where the requests of a Load go. Its zero value stands for what is no request of an application.
type Destination struct {
	// Service is "<namespace>/<name>", and Port its target port. A Service and its pods by address are one destination.
	Service, Port string
	// Local is true for requests to the application behind the sidecar itself. A client with a sidecar reports them as well.
	Local bool
	// Outside is the cluster of a destination outside the mesh.
	Outside string
}

// Destination returns where the requests go.
func (l Load) Destination() Destination {
	if match := serviceCluster.FindStringSubmatch(l.Cluster); match != nil {
		return Destination{Service: match[1], Port: match[2], Local: match[3] == "|local"}
	}
	if outsideCluster.MatchString(l.Cluster) {
		return Destination{Outside: l.Cluster}
	}
	return Destination{}
}

package inventory

import (
	"net/netip"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Instance is one instance of a workload: the part of a pod that the mesh uses.
type Instance struct {
	Name           entity.Name
	ID             entity.InstanceID
	ServiceAccount string
	IPs            []netip.Addr
	Labels         map[string]string
	// Workload is what manages the pod, for labels of metrics. It grants nothing.
	Workload Workload
	// Ports maps the names of container ports to their numbers.
	Ports map[string]uint16
	// Injected is true when the pod carries the mesh's sidecar.
	Injected bool
	// OSMSidecar is true when the pod has a sidecar of Open Service Mesh instead. Until its certificate from the same
	// authority expires, it proves its identity to clients. It connects to this control plane only while a bridge is open.
	OSMSidecar bool
	// Revision is the MeshRevision whose injector added the sidecar; empty without one.
	Revision string
	// TapUntil is until when somebody wants the sidecar to log every request; zero for nobody.
	TapUntil time.Time
	// Tapped is true while the sidecar logs every request, whatever share the mesh logs.
	Tapped bool
	// OnDemand is true when the sidecar loads its destinations at first use.
	OnDemand bool
	// EagerDestinations are the Services that such a sidecar has from the beginning, "<namespace>/<name>", sorted and joined by commas.
	EagerDestinations string
	// Metrics is true when the pod is annotated for scraping, so its sidecar serves metrics.
	Metrics bool
	// Finished is true when the pod has succeeded or failed. Services do not select it any more.
	Finished bool
	// Terminating is true from the deletion of the pod until it is gone. Its endpoints count as terminating, also while EndpointSlices do not say so yet.
	Terminating bool
	// NodeUnreachable is true when Kubernetes has marked the pod as not ready only because its node does not report. Its containers were ready.
	NodeUnreachable bool
}

// Workload is what manages a pod, such as a Deployment, or the pod itself.
type Workload struct{ Kind, Name string }

// Ref implements Entry.
func (i *Instance) Ref() entity.Ref { return entity.KindPod.Ref(i.Name) }

// Deps implements Entry.
func (i *Instance) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepPod.Of(i.Name))
}

// Identity is the workload identity of the pod.
func (i *Instance) Identity() identity.ServiceAccount {
	return identity.ServiceAccount{Namespace: i.Name.Namespace, Name: i.ServiceAccount}
}

// HasSidecar reports whether the pod can prove its identity.
func (i *Instance) HasSidecar() bool { return i.Injected || i.OSMSidecar }

// HasLabels reports whether a pod has all labels of a selector.
func (i *Instance) HasLabels(selector map[string]string) bool {
	for key, value := range selector {
		if have, ok := i.Labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// targetPort returns the container port of a pod behind a Service's port.
func (i *Instance) targetPort(port Port) (uint16, bool) {
	if port.TargetPort != 0 {
		return port.TargetPort, true
	}
	number, ok := i.Ports[port.TargetName]
	return number, ok
}

// HasOSMProxy reports whether a pod has a sidecar of Open Service Mesh with a UUID, and none of this mesh.
func (i *Instance) HasOSMProxy(uuid string) bool {
	return i.OSMSidecar && !i.Injected && i.Labels[names.ProxyUUIDLabel] == uuid
}

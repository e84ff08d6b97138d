package catalog

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// inventory records that what is built depends on something, and returns the pods and Services to read it from.
func (v *View) inventory(dep entity.Dep) *inventory.Inventory {
	v.deps.Add(dep)
	return v.catalog.inventory
}

// InMesh reports whether a namespace is part of the mesh. It records no dependency: callers also read a pod or Service
// of the namespace, which a change of the namespace affects.
func (v *View) InMesh(namespace string) bool {
	ns, ok := get[*Namespace](v.catalog, entity.KindNamespace, entity.Name{Namespace: namespace})
	return ok && ns.Monitored
}

// Pod returns a pod, or nil.
func (v *View) Pod(name entity.Name) *inventory.Instance {
	return v.inventory(entity.DepPod.Of(name)).Instance(name)
}

// IsAddressOfAnother reports whether an address belongs to other running pods only. It is false as long as the pod's own addresses are
// not known. It records no dependency: only the authentication of new streams uses it.
func (v *View) IsAddressOfAnother(pod *inventory.Instance, address netip.Addr) bool {
	return len(pod.IPs) > 0 && !slices.Contains(pod.IPs, address) && v.HasPodAt(address)
}

// HasPodAt reports whether a running pod has an address. It records no dependency, like IsAddressOfAnother.
func (v *View) HasPodAt(address netip.Addr) bool { return v.catalog.inventory.AnyRunningAt(address) }

// Service returns a Service, or nil when it does not exist or its namespace is not in the mesh.
func (v *View) Service(name entity.Name) *inventory.Service {
	service := v.AnyService(name)
	if service == nil || !v.InMesh(name.Namespace) {
		return nil
	}
	return service
}

// AnyService returns a Service of any namespace, in the mesh or not, or nil.
func (v *View) AnyService(name entity.Name) *inventory.Service {
	return v.inventory(entity.DepService.Of(name)).Service(name)
}

// Services returns the names of all Services of the mesh, sorted.
func (v *View) Services() []entity.Name {
	v.deps.Add(entity.Dep{Kind: entity.DepServices})
	var names []entity.Name
	for namespace := range v.catalog.names(entity.KindNamespace, entity.Dep{Kind: entity.DepServices}) {
		if v.InMesh(namespace.Namespace) {
			for service := range v.catalog.inventory.AllServicesIn(namespace.Namespace) {
				names = append(names, service.Name)
			}
		}
	}
	slices.SortFunc(names, entity.Name.Compare)
	return names
}

// ServicesIn returns the names of the Services of a namespace of the mesh, sorted.
func (v *View) ServicesIn(namespace string) []entity.Name {
	v.deps.Add(entity.DepNamespaceServices.In(namespace))
	if !v.InMesh(namespace) {
		return nil
	}
	return v.catalog.inventory.ServicesIn(namespace)
}

// ServicesOfPod returns the Services of the mesh that the pod is behind, sorted.
func (v *View) ServicesOfPod(pod *inventory.Instance) []entity.Name {
	v.deps.Add(entity.DepPod.Of(pod.Name))
	v.deps.Add(entity.DepNamespaceServices.In(pod.Name.Namespace))
	if !v.InMesh(pod.Name.Namespace) {
		return nil
	}
	names := v.catalog.inventory.ServicesSelecting(pod)
	slices.SortFunc(names, entity.Name.Compare)
	return names
}

// ServiceIdentities returns the identities of the pods behind a Service, sorted.
func (v *View) ServiceIdentities(service entity.Name) []identity.ServiceAccount {
	return v.inventory(entity.DepServiceIdentities.Of(service)).Identities(service)
}

// OSMPodAt returns the running pod at an address in the mesh that has a sidecar of Open Service Mesh with a UUID and runs as a service account, or nil.
func (v *View) OSMPodAt(address netip.Addr, account identity.ServiceAccount, uuid string) *inventory.Instance {
	for _, name := range v.catalog.inventory.RunningAt(address) {
		pod := v.Pod(name)
		if pod != nil && !pod.Finished && pod.HasOSMProxy(uuid) && pod.Identity() == account && v.InMesh(name.Namespace) {
			return pod
		}
	}
	return nil
}

// Sharing returns the Services of the mesh that select pods of a Service, sorted, without the Service itself.
func (v *View) Sharing(service entity.Name) []entity.Name {
	return v.inventory(entity.DepSharing.Of(service)).Sharing(service)
}

// ServicesOf returns the Services of the mesh whose pods have the identity, sorted.
func (v *View) ServicesOf(account identity.ServiceAccount) []entity.Name {
	v.deps.Add(entity.DepServicesOf.Of(entity.Name(account)))
	if !v.InMesh(account.Namespace) {
		return nil
	}
	return v.catalog.inventory.ServicesOf(account)
}

// PodsUpTo returns how many pods a Service selects, rounded up to one less than a power of two. So few changes of pods affect what depends on it.
func (v *View) PodsUpTo(service entity.Name) int {
	return v.inventory(entity.DepPodCount.Of(service)).CountUpTo(service)
}

// Backends returns the addresses behind a port of a Service, as inventory.Inventory.Backends does.
func (v *View) Backends(service *inventory.Service, port inventory.Port) []inventory.Backend {
	return v.inventory(entity.DepEndpoints.Of(service.Name)).Backends(service, port)
}

// TargetPort returns the container port behind a Service's port, as inventory.Inventory.TargetPort does.
func (v *View) TargetPort(service *inventory.Service, port inventory.Port) uint16 {
	v.dependOnPorts(service, port)
	return v.catalog.inventory.TargetPort(service, port)
}

// TargetPorts returns the container ports behind a Service's port, as inventory.Inventory.TargetPorts does.
func (v *View) TargetPorts(service *inventory.Service, port inventory.Port) []uint16 {
	v.dependOnPorts(service, port)
	return v.catalog.inventory.TargetPorts(service, port)
}

func (v *View) dependOnPorts(service *inventory.Service, port inventory.Port) {
	if service.NumberDependsOnPod(port) {
		v.deps.Add(entity.DepEndpoints.Of(service.Name))
	}
}

// NamedPorts returns the numbers of a pod for ports whose numbers depend on the pod, of the Services that it is behind, in their order. It records no
// dependency: callers also call ServicesOfPod, which a change of a Service affects.
func (v *View) NamedPorts(pod *inventory.Instance, services []entity.Name) []inventory.NamedPort {
	return v.catalog.inventory.NamedPorts(pod, services)
}

// Addresses returns the addresses behind a Service of any namespace, as inventory.Inventory.Addresses does.
func (v *View) Addresses(service entity.Name) []netip.Addr {
	return v.inventory(entity.DepEndpoints.Of(service)).Addresses(service)
}

// HasReadyEndpoint reports whether an endpoint of a Service of any namespace accepts connections.
func (v *View) HasReadyEndpoint(service entity.Name) bool {
	return v.inventory(entity.DepEndpoints.Of(service)).HasReadyEndpoint(service)
}

// LeftOut returns the addresses of a Service that get no traffic for good, as inventory.Inventory.LeftOut does.
func (v *View) LeftOut(service *inventory.Service) []netip.Addr {
	return v.inventory(entity.DepEndpoints.Of(service.Name)).LeftOut(service)
}

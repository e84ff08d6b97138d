package reference

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
)

// IngressCall is a request without TLS of a client outside the mesh to a port of a pod.
type IngressCall struct {
	Pod     types.NamespacedName
	Port    int32
	Address string
	// Method, Path and Headers (name and value) are the request. The Host header is ":authority".
	Method, Path string
	Headers      [][2]string
}

// DecideIngress returns the outcome of a call.
func (c *Cluster) DecideIngress(r IngressCall) Outcome {
	policy, backend := c.backendOf(r)
	if policy == nil || backend.Port.Protocol != "http" || !c.admits(policy, r.Address) {
		return Reset
	}
	service := c.service(types.NamespacedName{Namespace: r.Pod.Namespace, Name: backend.Name})
	received := asReceived(Request{Method: r.Method, Path: r.Path, Headers: r.Headers}, c.decodes(service))
	if !received.valid {
		return BadRequest
	}
	for _, match := range policy.Spec.Matches {
		if slices.ContainsFunc(c.group(policy.Namespace, match.Name), received.matches) {
			return Allowed
		}
	}
	if len(policy.Spec.Matches) > 0 {
		return NotFound
	}
	return Allowed
}

// backendOf returns the oldest IngressBackend for a port of a pod, and its backend for the port; nil without any.
func (c *Cluster) backendOf(r IngressCall) (policy *policyv1alpha1.IngressBackend, backend *policyv1alpha1.BackendSpec) {
	if !c.MeshConfig.Spec.FeatureFlags.EnableIngressBackendPolicy {
		return nil, nil
	}
	for i := range c.IngressBackends {
		candidate := &c.IngressBackends[i]
		if candidate.Namespace != r.Pod.Namespace || policy != nil && !older(candidate, policy) {
			continue
		}
		if found := c.backendFor(candidate, r); found != nil {
			policy, backend = candidate, found
		}
	}
	return policy, backend
}

// backendFor returns the backend of a policy for a port of a pod; nil without any. The pod can have several of its Services, of which the first by
// name applies.
func (c *Cluster) backendFor(policy *policyv1alpha1.IngressBackend, r IngressCall) *policyv1alpha1.BackendSpec {
	var first *policyv1alpha1.BackendSpec
	for i := range policy.Spec.Backends {
		backend := &policy.Spec.Backends[i]
		if backend.Port.Number == r.Port && c.serves(r, backend.Name) && (first == nil || backend.Name < first.Name) {
			first = backend
		}
	}
	return first
}

func older(a, b *policyv1alpha1.IngressBackend) bool {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name)) < 0
}

// serves reports whether a Service selects the called pod and has its port.
func (c *Cluster) serves(r IngressCall, name string) bool {
	service := c.service(types.NamespacedName{Namespace: r.Pod.Namespace, Name: name})
	return service != nil &&
		slices.ContainsFunc(c.selected(service), func(p *corev1.Pod) bool { return p.Name == r.Pod.Name }) &&
		slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return c.containerPort(service, p) == r.Port })
}

// admits reports whether an address is in a range of a policy, or behind one of its Services.
func (c *Cluster) admits(policy *policyv1alpha1.IngressBackend, address string) bool {
	for _, source := range policy.Spec.Sources {
		switch source.Kind {
		case "IPRange":
			if netip.MustParsePrefix(source.Name).Contains(netip.MustParseAddr(address)) {
				return true
			}
		case "Service":
			if c.isBehind(types.NamespacedName{Namespace: source.Namespace, Name: source.Name}, address) {
				return true
			}
		}
	}
	return false
}

// isBehind reports whether an address is an endpoint of a Service that names its pod, also if it is not ready.
func (c *Cluster) isBehind(service types.NamespacedName, address string) bool {
	for _, slice := range c.EndpointSlices {
		if slice.Namespace != service.Namespace || slice.Labels[discoveryv1.LabelServiceName] != service.Name {
			continue
		}
		if slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool { return e.TargetRef != nil && slices.Contains(e.Addresses, address) }) {
			return true
		}
	}
	return false
}

package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Gateway is a Gateway of a class of this mesh (gateway.networking.k8s.io).
type Gateway struct {
	Name    entity.Name
	Created time.Time
	// Class is the name of its GatewayClass.
	Class     string
	Listeners []GatewayListener
	// Parameters is the object that spec.infrastructure.parametersRef names, which makes the Gateway invalid; empty without one.
	Parameters string
	// Metadata are the keys of the labels and annotations that spec.infrastructure declares, sorted.
	Metadata []string
	// Ignored are the fields that are set and have no effect in the gateway that all share, sorted.
	Ignored []string
}

// Fields of a Gateway that have an effect only if it has pods of its own. Ignored has them otherwise.
const (
	InfrastructureAnnotations = "spec.infrastructure.annotations"
	InfrastructureLabels      = "spec.infrastructure.labels"
)

// Ref implements Entry.
func (g *Gateway) Ref() entity.Ref { return entity.KindGateway.Ref(g.Name) }

// Deps implements Entry.
func (g *Gateway) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepGateways})
}

// GatewayListener is one listener of a Gateway.
type GatewayListener struct {
	Name string
	Port uint16
	// Protocol is HTTP, HTTPS, TLS, TCP, or another one that is not supported.
	Protocol string
	// Hostname restricts the hosts; empty means any. It may start with "*.". Those of TCP have none.
	Hostname string
	// Terminate is false if TLS passes through.
	Terminate bool
	// Certificates are the Secrets in order of preference.
	Certificates []entity.Name
	// OtherCertificate describes a certificate that is not a Secret; empty if there is none.
	OtherCertificate string
	// From selects the namespaces whose routes may attach: Same, All, Selector or None.
	From string
	// Selector selects these namespaces by labels.
	Selector LabelSelector
	// Kinds are the supported ones among the kinds of routes that the listener names, sorted, and UnknownKinds is true if it names others. See RouteKinds.
	Kinds        []entity.Kind
	UnknownKinds bool
	// Clients is the demand for certificates of clients; nil without one.
	Clients *ClientValidation
	// Claimed is since when the listener has its Claim; zero if it has none yet.
	Claimed time.Time
}

// Protocols of listeners for connections. Those of others are for requests.
const (
	ListenerTLS = "TLS"
	ListenerTCP = "TCP"
)

// ListenerRouteKinds are the kinds of routes that listeners with a protocol support, sorted.
func ListenerRouteKinds(protocol string) []entity.Kind {
	switch protocol {
	case ListenerTLS:
		return []entity.Kind{entity.KindTLSRoute}
	case ListenerTCP:
		return []entity.Kind{entity.KindGatewayTCPRoute}
	}
	return []entity.Kind{entity.KindGRPCRoute, entity.KindHTTPRoute}
}

// RouteKinds are the kinds of routes that may attach, sorted: all supported ones, unless the listener names its kinds.
func (l *GatewayListener) RouteKinds() []entity.Kind {
	if len(l.Kinds) == 0 && !l.UnknownKinds {
		return ListenerRouteKinds(l.Protocol)
	}
	return l.Kinds
}

// Claim describes the port, protocol and hostname of the listener, which only one listener can have. Its status records it.
func (l *GatewayListener) Claim() string {
	return fmt.Sprintf("%s on port %d for %s", l.Protocol, l.Port, cmp.Or(l.Hostname, "all hosts"))
}

// LabelSelector selects by labels. All requirements must hold.
type LabelSelector []LabelRequirement

// LabelRequirement is one requirement. Operator is In, NotIn, Exists or DoesNotExist.
type LabelRequirement struct {
	Key, Operator string
	Values        []string
}

// Matches reports whether labels meet all requirements. An unknown operator matches nothing.
func (s LabelSelector) Matches(labels map[string]string) bool {
	for _, r := range s {
		value, exists := labels[r.Key]
		met := map[string]bool{
			"In": exists && slices.Contains(r.Values, value), "NotIn": !exists || !slices.Contains(r.Values, value),
			"Exists": exists, "DoesNotExist": !exists,
		}[r.Operator]
		if !met {
			return false
		}
	}
	return true
}

// GatewayClass is a GatewayClass with the controller name of this mesh.
type GatewayClass struct {
	Name string
	// Namespaces are those whose Gateways may use the class; none means all.
	Namespaces []string
	// PerGateway is true if each Gateway has pods of its own. Otherwise all share those of the ingress gateway.
	PerGateway bool
	// Ports are those that listeners of such Gateways may use; none means all.
	Ports []uint16
	// Metadata are the labels and annotations that such Gateways may give to their Services: keys, or domains with a slash at the end.
	Metadata []string
}

// Ref implements Entry.
func (c *GatewayClass) Ref() entity.Ref {
	return entity.KindGatewayClass.Ref(entity.Name{Name: c.Name})
}

// Deps implements Entry.
func (c *GatewayClass) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepGateways})
}

// NamespaceLabels are the labels of a namespace, which select routes of Gateways.
type NamespaceLabels struct {
	Namespace string
	Labels    map[string]string
}

// Ref implements Entry.
func (l *NamespaceLabels) Ref() entity.Ref {
	return entity.KindNamespaceLabels.Ref(entity.Name{Name: l.Namespace})
}

// Deps implements Entry.
func (l *NamespaceLabels) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepNamespaceLabels})
}

// ReferenceGrant permits references to objects of its namespace (gateway.networking.k8s.io).
type ReferenceGrant struct {
	Name entity.Name
	From []GrantedReferrer
	To   []GrantedObject
}

// GrantedReferrer is a kind of objects in a namespace that may refer to objects.
type GrantedReferrer struct{ Group, Kind, Namespace string }

// GrantedObject is a kind of objects; an empty name means all.
type GrantedObject struct{ Group, Kind, Name string }

// Ref implements Entry.
func (g *ReferenceGrant) Ref() entity.Ref { return entity.KindReferenceGrant.Ref(g.Name) }

// Deps implements Entry.
func (g *ReferenceGrant) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepGateways}, entity.DepGrantsIn.In(g.Name.Namespace))
}

// GatewayCertificate is the content of a Secret that a listener of a Gateway refers to.
type GatewayCertificate struct {
	Name entity.Name
	// ChainPEM and KeyPEM are valid and belong together, unless Problem is set.
	ChainPEM, KeyPEM []byte
	// Problem is why the certificate cannot be used, a sentence; empty if it can.
	Problem string
	// Warning is why clients reject a certificate that is in use, a sentence; empty if there is no reason.
	Warning string
}

// Ref implements Entry.
func (c *GatewayCertificate) Ref() entity.Ref { return entity.KindGatewayCertificate.Ref(c.Name) }

// Deps implements Entry.
func (c *GatewayCertificate) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepGateways})
}

// Gateways returns the Gateways of the classes of this mesh, the oldest first, then by name.
func (v *View) Gateways() []*Gateway {
	gateways := Find[*Gateway](v, entity.KindGateway, entity.Dep{Kind: entity.DepGateways})
	gateways = slices.DeleteFunc(gateways, func(g *Gateway) bool { return v.GatewayClass(g.Class) == nil })
	slices.SortStableFunc(gateways, func(a, b *Gateway) int { return a.Created.Compare(b.Created) })
	return gateways
}

// MayHaveGateways reports whether a namespace may have Gateways of a class.
func (v *View) MayHaveGateways(namespace, class string) bool {
	c := v.GatewayClass(class)
	return c != nil && (len(c.Namespaces) == 0 || slices.Contains(c.Namespaces, namespace))
}

// GatewayClass returns a class of this mesh, or nil.
func (v *View) GatewayClass(name string) *GatewayClass {
	return read[*GatewayClass](v, entity.Dep{Kind: entity.DepGateways}, entity.KindGatewayClass, entity.Name{Name: name})
}

// GatewayRoutes returns the routes that refer to Gateways, the oldest first, then by name.
func (v *View) GatewayRoutes() []*HTTPRoute {
	routes := v.routes(entity.Dep{Kind: entity.DepGateways})
	slices.SortStableFunc(routes, func(a, b *HTTPRoute) int { return cmp.Or(a.Created.Compare(b.Created), a.Name.Compare(b.Name)) })
	return routes
}

// GatewayCertificate returns the content of a Secret; nil before it was read.
func (v *View) GatewayCertificate(name entity.Name) *GatewayCertificate {
	return read[*GatewayCertificate](v, entity.Dep{Kind: entity.DepGateways}, entity.KindGatewayCertificate, name)
}

// LabelsOf returns the labels of a namespace.
func (v *View) LabelsOf(namespace string) map[string]string {
	dep := entity.Dep{Kind: entity.DepNamespaceLabels}
	if entry := read[*NamespaceLabels](v, dep, entity.KindNamespaceLabels, entity.Name{Name: namespace}); entry != nil {
		return entry.Labels
	}
	return nil
}

// grantsFromKey identifies the objects of a namespace that a referrer may refer to.
type grantsFromKey struct {
	namespace string
	from      GrantedReferrer
}

// Grants reports whether a ReferenceGrant in the namespace of an object of the core group permits a reference to it, by its name or as one of all
// objects of its kind. A view reads the ReferenceGrants of a namespace once for each kind and namespace of referrers, however many references there are.
func (v *View) Grants(from GrantedReferrer, kind string, to entity.Name) bool {
	granted := Memo(v, grantsFromKey{to.Namespace, from}, func() map[GrantedObject]struct{} {
		objects := map[GrantedObject]struct{}{}
		for _, g := range Find[*ReferenceGrant](v, entity.KindReferenceGrant, entity.DepGrantsIn.In(to.Namespace)) {
			if slices.Contains(g.From, from) {
				for _, object := range g.To {
					objects[object] = struct{}{}
				}
			}
		}
		return objects
	})
	_, all := granted[GrantedObject{Kind: kind}]
	_, one := granted[GrantedObject{Kind: kind, Name: to.Name}]
	return all || one
}

// IngressGatewayPorts maps the ports of the Service of the ingress gateway to those of its pods. It is empty without the Service.
func (v *View) IngressGatewayPorts() map[uint16]uint16 {
	name := entity.Name{Namespace: v.Settings().Namespace, Name: names.IngressGateway}
	ports := map[uint16]uint16{}
	if service := v.AnyService(name); service != nil {
		for _, port := range service.Ports {
			ports[port.Number] = port.TargetPort
		}
	}
	return ports
}

// IsGateway reports whether a pod belongs to the ingress gateway of the mesh, or to a Gateway that has pods of its own.
func (v *View) IsGateway(pod *inventory.Instance) bool {
	return v.isGatewayPod(pod, names.IngressGateway) || v.DedicatedGateway(pod) != ""
}

// DedicatedGateway returns what names.DedicatedGateway returns for the Gateway whose pods include this one. It is empty for other pods.
func (v *View) DedicatedGateway(pod *inventory.Instance) string {
	gateway := pod.Labels[names.AppLabel]
	if names.IsDedicatedGateway(gateway) && v.GatewayAccount(names.IngressGateway) == pod.Identity() {
		return gateway
	}
	return ""
}

// GatewayAccount returns the identity of a gateway of the mesh, by its name. It is empty before the MeshConfig was read.
func (v *View) GatewayAccount(gateway string) identity.ServiceAccount {
	namespace := v.Settings().Namespace
	if namespace == "" {
		return identity.ServiceAccount{}
	}
	return identity.ServiceAccount{Namespace: namespace, Name: gateway}
}

// IsGatewayAccount reports whether an identity is that of one of these gateways of the mesh. Their namespace is not part of the mesh.
func (v *View) IsGatewayAccount(sa identity.ServiceAccount, gateways ...string) bool {
	return sa.Name != "" && slices.ContainsFunc(gateways, func(g string) bool { return v.GatewayAccount(g) == sa })
}

// isGatewayPod reports whether a pod belongs to a gateway of the mesh. Only the operator may create pods in its namespace.
func (v *View) isGatewayPod(pod *inventory.Instance, gateway string) bool {
	namespace := v.Settings().Namespace
	return namespace != "" && pod.Name.Namespace == namespace && pod.ServiceAccount == gateway && pod.Labels[names.AppLabel] == gateway
}

// IsServed reports whether a pod gets configuration: it has a sidecar in the mesh, or belongs to a gateway.
func (v *View) IsServed(pod *inventory.Instance) bool {
	return pod.Injected && (v.InMesh(pod.Name.Namespace) || v.IsGateway(pod) || v.IsEgressGateway(pod) || v.IsPeerGateway(pod))
}

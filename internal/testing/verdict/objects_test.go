package verdict

import (
	"slices"
	"strconv"

	specsv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
	splitv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha4"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/objects"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// meshName is the name of the mesh.
const meshName = "osm"

// objects returns the state as the objects that users, and Kubernetes, would create.
func (w State) objects() *reference.Cluster {
	c := &reference.Cluster{}
	refs := make([]entity.Ref, 0, len(w))
	for ref := range w {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, compareRefs)
	for _, ref := range refs {
		switch e := w[ref].(type) {
		case *catalog.Settings:
			c.MeshConfig = meshConfig(e)
		case *inventory.Instance:
			c.Pods = append(c.Pods, objects.Pod(e))
		case *inventory.Service:
			c.Services = append(c.Services, objects.Service(e))
			if e.HasSelector() {
				c.EndpointSlices = append(c.EndpointSlices, objects.EndpointSlice(w.endpoints(e)))
			}
		case *catalog.TrafficTarget:
			c.TrafficTargets = append(c.TrafficTargets, objects.TrafficTarget(e))
		case *catalog.HTTPRouteGroup:
			c.HTTPRouteGroups = append(c.HTTPRouteGroups, objects.HTTPRouteGroup(e))
		case *catalog.TCPRoute:
			c.TCPRoutes = append(c.TCPRoutes, tcpRoute(e))
		case *catalog.Egress:
			c.Egresses = append(c.Egresses, egressObject(e))
		case *catalog.BackendTLSPolicy:
			c.BackendTLSPolicies = append(c.BackendTLSPolicies, backendTLSObject(e))
		case *catalog.BackendAuthorities:
			c.ConfigMaps = append(c.ConfigMaps, corev1.ConfigMap{ObjectMeta: objects.Meta(e.Name), Data: map[string]string{"ca.crt": string(e.PEM)}})
		case *ingressbackend.Policy:
			c.IngressBackends = append(c.IngressBackends, ingressBackendObject(e))
		case *extauthz.Policy:
			c.ExternalAuthorizations = append(c.ExternalAuthorizations, authorizationObject(e))
		case *catalog.ExtensionService:
			c.ExtensionServices = append(c.ExtensionServices, extensionServiceObject(e))
		case *inventory.EndpointSlice:
			c.EndpointSlices = append(c.EndpointSlices, objects.EndpointSlice(w.handwritten(e)))
		case *catalog.TrafficSplit:
			c.TrafficSplits = append(c.TrafficSplits, trafficSplit(e))
		case *catalog.HTTPRoute:
			addRouteObject(c, e)
		case *catalog.ReferenceGrant:
			c.ReferenceGrants = append(c.ReferenceGrants, objects.ReferenceGrant(e))
		}
	}
	for _, name := range namespaces {
		namespace, _ := w[(&catalog.Namespace{Name: name}).Ref()].(*catalog.Namespace)
		c.Namespaces = append(c.Namespaces, namespaceObject(name, namespace))
	}
	return c
}

func meshConfig(s *catalog.Settings) configv1alpha2.MeshConfig {
	var config configv1alpha2.MeshConfig
	config.Namespace = s.Namespace
	config.Spec.Traffic.EnablePermissiveTrafficPolicyMode = s.Permissive
	config.Spec.Traffic.EnableEgress = s.Egress
	if s.EmptyRulesSelectNothing {
		config.Spec.Traffic.RulesWithoutMatches = configv1alpha2.RulesWithoutMatchesNone
	}
	if server := s.ExternalAuthorization; server != nil {
		config.Spec.Traffic.InboundExternalAuthorization = configv1alpha2.ExternalAuthorizationSpec{
			Enable: true, Address: server.Address, Port: int(server.Port), StatPrefix: server.StatPrefix,
			Timeout: server.Timeout.String(), FailureModeAllow: server.FailureModeAllow,
		}
	}
	if server := s.Tracing; server != nil {
		config.Spec.Observability.Tracing = configv1alpha2.TracingSpec{
			Enable: true, Address: server.Address, Port: int(server.Port), Endpoint: server.Path,
			SamplingPercentage: strconv.FormatFloat(server.Sampling, 'f', -1, 64),
		}
		if server.OTLP {
			config.Spec.Observability.Tracing.Protocol = configv1alpha2.TracingOTLP
		}
	}
	config.Spec.Observability.AccessLog.SamplingPercentage = strconv.FormatFloat(100-float64(s.UnloggedRequests)/10_000, 'f', -1, 64)
	config.Spec.FeatureFlags = featureFlags(s)
	config.Spec.Sidecar.TLSMinProtocolVersion = configv1alpha2.TLSVersion(s.TLS.MinVersion)
	config.Spec.Sidecar.TLSMaxProtocolVersion = configv1alpha2.TLSVersion(s.TLS.MaxVersion)
	config.Spec.Sidecar.CipherSuites, config.Spec.Sidecar.ECDHCurves = s.TLS.CipherSuites, s.TLS.ECDHCurves
	switch s.Teardown {
	case catalog.TeardownOpen:
		config.Annotations = map[string]string{names.TeardownAnnotation: names.TeardownOpen}
	case catalog.TeardownPassthrough:
		config.Annotations = map[string]string{names.TeardownAnnotation: names.TeardownPassthrough}
	}
	return config
}

// namespaceObject returns a namespace of the mesh; nil has no annotations.
func namespaceObject(name string, namespace *catalog.Namespace) corev1.Namespace {
	object := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.MonitoredByLabel: meshName}}}
	if namespace == nil {
		return object
	}
	value := map[bool]string{false: "disabled", true: "enabled"}
	object.Annotations = map[string]string{names.EgressGatewayAnnotation: value[namespace.EgressGateway]}
	if namespace.DecodeSlashes {
		object.Annotations[names.EscapedSlashesAnnotation] = names.EscapedSlashesDecode
	}
	if namespace.Permissive != nil {
		object.Annotations[names.PermissiveAnnotation] = value[*namespace.Permissive]
	}
	return object
}

func tcpRoute(r *catalog.TCPRoute) specsv1alpha4.TCPRoute {
	route := specsv1alpha4.TCPRoute{ObjectMeta: objects.Meta(r.Name)}
	for _, port := range r.Ports {
		route.Spec.Matches.Ports = append(route.Spec.Matches.Ports, int(port))
	}
	return route
}

func egressObject(e *catalog.Egress) policyv1alpha1.Egress {
	object := policyv1alpha1.Egress{ObjectMeta: objects.Meta(e.Name)}
	object.CreationTimestamp = metav1.NewTime(e.Created)
	object.Spec.Hosts = e.Hosts
	for _, source := range e.Sources {
		object.Spec.Sources = append(object.Spec.Sources, policyv1alpha1.EgressSourceSpec{
			Kind:      "ServiceAccount",
			Namespace: source.Namespace, Name: source.Name,
		})
	}
	for _, prefix := range e.Prefixes {
		object.Spec.IPAddresses = append(object.Spec.IPAddresses, prefix.String())
	}
	for _, port := range e.Ports {
		object.Spec.Ports = append(object.Spec.Ports, policyv1alpha1.EgressPortSpec{Number: int32(port.Number), Protocol: string(port.Protocol)})
	}
	for _, name := range e.RouteGroups {
		object.Spec.Matches = append(object.Spec.Matches, policyv1alpha1.EgressMatchSpec{Kind: "HTTPRouteGroup", Name: name})
	}
	return object
}

func backendTLSObject(p *catalog.BackendTLSPolicy) gatewayv1.BackendTLSPolicy {
	object := gatewayv1.BackendTLSPolicy{ObjectMeta: objects.Meta(p.Name)}
	object.CreationTimestamp = metav1.NewTime(p.Created)
	for _, target := range p.Targets {
		ref := gatewayv1.LocalPolicyTargetReferenceWithSectionName{LocalPolicyTargetReference: gatewayv1.LocalPolicyTargetReference{
			Group: gatewayv1.Group(target.Group), Kind: gatewayv1.Kind(target.Kind), Name: gatewayv1.ObjectName(target.Name),
		}}
		if target.Section != "" {
			ref.SectionName = ptr.To(gatewayv1.SectionName(target.Section))
		}
		object.Spec.TargetRefs = append(object.Spec.TargetRefs, ref)
	}
	for _, name := range p.Authorities {
		object.Spec.Validation.CACertificateRefs = append(object.Spec.Validation.CACertificateRefs,
			gatewayv1.LocalObjectReference{Kind: "ConfigMap", Name: gatewayv1.ObjectName(name)})
	}
	return object
}

func ingressBackendObject(b *ingressbackend.Policy) policyv1alpha1.IngressBackend {
	object := policyv1alpha1.IngressBackend{ObjectMeta: objects.Meta(b.Name)}
	object.CreationTimestamp = metav1.NewTime(b.Created)
	for _, port := range b.Backends {
		backend := policyv1alpha1.BackendSpec{Name: port.Service.Name, Port: policyv1alpha1.PortSpec{Number: int32(port.TargetPort), Protocol: "http"}}
		if port.TLS {
			backend.Port.Protocol, backend.TLS.SkipClientCertValidation, backend.TLS.SNIHosts = "https", port.SkipClientCertificate, port.ServerNames
		}
		object.Spec.Backends = append(object.Spec.Backends, backend)
	}
	for _, service := range b.Gateways {
		object.Spec.Sources = append(object.Spec.Sources, policyv1alpha1.IngressSourceSpec{Kind: "Service", Namespace: service.Namespace, Name: service.Name})
	}
	for _, prefix := range b.Prefixes {
		object.Spec.Sources = append(object.Spec.Sources, policyv1alpha1.IngressSourceSpec{Kind: "IPRange", Name: prefix.String()})
	}
	for _, principal := range b.Principals {
		object.Spec.Sources = append(object.Spec.Sources, policyv1alpha1.IngressSourceSpec{Kind: "AuthenticatedPrincipal", Name: principal})
	}
	for _, name := range b.RouteGroups {
		object.Spec.Matches = append(object.Spec.Matches, policyv1alpha1.RouteReference{Kind: "HTTPRouteGroup", Name: name})
	}
	return object
}

func authorizationObject(p *extauthz.Policy) policyv1alpha1.ExternalAuthorization {
	object := policyv1alpha1.ExternalAuthorization{ObjectMeta: objects.Meta(p.Name)}
	object.CreationTimestamp = metav1.NewTime(p.Created)
	object.Spec.Selector, object.Spec.FailureModeAllow = p.Selector, p.FailureModeAllow
	object.Spec.ExtensionService = policyv1alpha1.ExtensionServiceRef{Namespace: p.Service.Namespace, Name: p.Service.Name}
	object.Spec.Timeout = p.Timeout.String()
	return object
}

func extensionServiceObject(s *catalog.ExtensionService) configv1alpha2.ExtensionService {
	object := configv1alpha2.ExtensionService{ObjectMeta: objects.Meta(s.Name)}
	object.Spec.Host, object.Spec.Port = s.Address, int32(s.Port)
	return object
}

func trafficSplit(s *catalog.TrafficSplit) splitv1alpha4.TrafficSplit {
	split := splitv1alpha4.TrafficSplit{ObjectMeta: objects.Meta(s.Name)}
	split.CreationTimestamp = metav1.NewTime(s.Created)
	split.Spec.Service = s.Root.Name
	for _, b := range s.Backends {
		split.Spec.Backends = append(split.Spec.Backends, splitv1alpha4.TrafficSplitBackend{Service: b.Service.Name, Weight: int(b.Weight)})
	}
	for _, name := range s.Matches {
		split.Spec.Matches = append(split.Spec.Matches, corev1.TypedLocalObjectReference{
			APIGroup: ptr.To("specs.smi-spec.io"),
			Kind:     "HTTPRouteGroup", Name: name,
		})
	}
	return split
}

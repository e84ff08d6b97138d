package ingest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// GatewayClass returns a function that reads a GatewayClass. There is no entry if its controller is another one.
func GatewayClass(mesh string) func(*unstructured.Unstructured) (*catalog.GatewayClass, []Problem) {
	return func(u *unstructured.Unstructured) (*catalog.GatewayClass, []Problem) {
		if controller, _, _ := unstructured.NestedString(u.Object, "spec", "controllerName"); controller != names.GatewayController(mesh) {
			return nil, nil
		}
		class := &catalog.GatewayClass{Name: u.GetName()}
		if allowed := u.GetAnnotations()[names.AllowedNamespacesAnnotation]; allowed != "" {
			class.Namespaces = strings.Split(allowed, ",")
		}
		class.PerGateway = u.GetAnnotations()[names.GatewayDeploymentAnnotation] == names.GatewayDeploymentPerGateway
		if allowed := u.GetAnnotations()[names.AllowedMetadataAnnotation]; allowed != "" {
			class.Metadata = strings.Split(allowed, ",")
		}
		class.Ports = allowedPorts(u.GetAnnotations()[names.AllowedPortsAnnotation])
		return class, nil
	}
}

// allowedPorts reads ports that are separated by commas.
func allowedPorts(list string) []uint16 {
	var ports []uint16
	for text := range strings.SplitSeq(list, ",") {
		if port, err := strconv.ParseUint(text, 10, 16); err == nil {
			ports = append(ports, uint16(port))
		}
	}
	return ports
}

// NamespaceLabels reads the labels of a namespace.
func NamespaceLabels(ns *corev1.Namespace) *catalog.NamespaceLabels {
	return &catalog.NamespaceLabels{Namespace: ns.Name, Labels: ns.Labels}
}

// Gateway reads a Gateway. What the ingress gateway does not support is part of the entry, because it has a status of its own.
func Gateway(u *unstructured.Unstructured) (*catalog.Gateway, []Problem) {
	object, found := convert[gatewayv1.Gateway](u)
	if found != nil {
		return nil, found
	}
	for i := range object.Spec.Listeners {
		if found := checkHostname("Gateway", string(ptr.Deref(object.Spec.Listeners[i].Hostname, ""))); found != nil {
			return nil, found
		}
	}
	gateway := &catalog.Gateway{
		Name: NameOf(u), Created: u.GetCreationTimestamp().UTC(), Class: string(object.Spec.GatewayClassName),
		Ignored: setFields(u, ignoredByGateways()),
	}
	if infrastructure := object.Spec.Infrastructure; infrastructure != nil {
		gateway.Metadata = metadataKeys(infrastructure)
		if infrastructure.ParametersRef != nil {
			gateway.Parameters = fmt.Sprintf("%s %s", infrastructure.ParametersRef.Kind, infrastructure.ParametersRef.Name)
		}
	}
	for i := range object.Spec.Listeners {
		listener := gatewayListener(u.GetNamespace(), &object.Spec.Listeners[i])
		listener.Clients = clientValidation(u.GetNamespace(), &object.Spec, &object.Spec.Listeners[i])
		listener.Claimed = claimedSince(object, listener)
		gateway.Listeners = append(gateway.Listeners, listener)
	}
	return gateway, nil
}

// metadataKeys returns the keys of the declared labels and annotations, sorted.
func metadataKeys(infrastructure *gatewayv1.GatewayInfrastructure) []string {
	var keys []string
	for key := range infrastructure.Labels {
		keys = append(keys, string(key))
	}
	for key := range infrastructure.Annotations {
		keys = append(keys, string(key))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func gatewayListener(namespace string, l *gatewayv1.Listener) catalog.GatewayListener {
	listener := catalog.GatewayListener{
		Name: string(l.Name), Port: uint16(l.Port), Protocol: string(l.Protocol), Hostname: string(ptr.Deref(l.Hostname, "")), //nolint:gosec // the schema limits it
		Terminate: true, From: string(gatewayv1.NamespacesFromSame),
	}
	if l.Protocol == gatewayv1.TCPProtocolType {
		listener.Hostname = ""
	}
	if l.TLS != nil {
		listener.Terminate = ptr.Deref(l.TLS.Mode, gatewayv1.TLSModeTerminate) == gatewayv1.TLSModeTerminate
		for _, ref := range l.TLS.CertificateRefs {
			group, kind := string(ptr.Deref(ref.Group, "")), string(ptr.Deref(ref.Kind, "Secret"))
			if group != "" || kind != "Secret" {
				listener.OtherCertificate = fmt.Sprintf("%s %s", kind, ref.Name)
				continue
			}
			listener.Certificates = append(listener.Certificates, entity.Name{
				Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))),
				Name:      string(ref.Name),
			})
		}
	}
	if l.AllowedRoutes == nil {
		return listener
	}
	if from := l.AllowedRoutes.Namespaces; from != nil {
		listener.From = string(ptr.Deref(from.From, gatewayv1.NamespacesFromSame))
		listener.Selector = labelSelector(from.Selector)
	}
	listener.Kinds, listener.UnknownKinds = allowedKinds(listener.Protocol, l.AllowedRoutes.Kinds)
	return listener
}

// allowedKinds returns the kinds that a listener names and its protocol supports, and whether it names others.
func allowedKinds(protocol string, list []gatewayv1.RouteGroupKind) (allowed []entity.Kind, unknown bool) {
	for _, kind := range catalog.ListenerRouteKinds(protocol) {
		if slices.ContainsFunc(list, func(k gatewayv1.RouteGroupKind) bool { return isKind(k, kind) }) {
			allowed = append(allowed, kind)
		}
	}
	unknown = slices.ContainsFunc(list, func(k gatewayv1.RouteGroupKind) bool {
		return !slices.ContainsFunc(allowed, func(kind entity.Kind) bool { return isKind(k, kind) })
	})
	return allowed, unknown
}

func isKind(k gatewayv1.RouteGroupKind, kind entity.Kind) bool {
	return string(k.Kind) == kind.APIName() && ptr.Deref(k.Group, gatewayv1.GroupName) == gatewayv1.GroupName
}

func labelSelector(selector *metav1.LabelSelector) catalog.LabelSelector {
	if selector == nil {
		return catalog.LabelSelector{{}} // matches nothing
	}
	var requirements catalog.LabelSelector
	for _, key := range slices.Sorted(maps.Keys(selector.MatchLabels)) {
		requirements = append(requirements, catalog.LabelRequirement{Key: key, Operator: "In", Values: []string{selector.MatchLabels[key]}})
	}
	for _, e := range selector.MatchExpressions {
		requirements = append(requirements, catalog.LabelRequirement{Key: e.Key, Operator: string(e.Operator), Values: e.Values})
	}
	return requirements
}

// ReferenceGrant reads a ReferenceGrant.
func ReferenceGrant(u *unstructured.Unstructured) (*catalog.ReferenceGrant, []Problem) {
	object, found := convert[gatewayv1.ReferenceGrant](u)
	if found != nil {
		return nil, found
	}
	grant := &catalog.ReferenceGrant{Name: NameOf(u)}
	for _, from := range object.Spec.From {
		grant.From = append(grant.From, catalog.GrantedReferrer{Group: string(from.Group), Kind: string(from.Kind), Namespace: string(from.Namespace)})
	}
	for _, to := range object.Spec.To {
		grant.To = append(grant.To, catalog.GrantedObject{Group: string(to.Group), Kind: string(to.Kind), Name: string(ptr.Deref(to.Name, ""))})
	}
	return grant, nil
}

// convert reads an object into its type.
func convert[T any](u *unstructured.Unstructured) (*T, []Problem) {
	object := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, object); err != nil {
		return nil, []Problem{{Reason: ReasonMalformed, Message: fmt.Sprintf("This %s cannot be read, so it has no effect: %v.",
			cmp.Or(u.GetKind(), "object"), err)}}
	}
	return object, nil
}

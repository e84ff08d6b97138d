package reference

import (
	"slices"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	specsv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
	splitv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha4"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
)

// Cluster has the objects of a mesh. Every namespace belongs to the mesh, and every pod has a sidecar.
type Cluster struct {
	MeshConfig      configv1alpha2.MeshConfig
	Namespaces      []corev1.Namespace
	Pods            []corev1.Pod
	Services        []corev1.Service
	EndpointSlices  []discoveryv1.EndpointSlice
	TrafficTargets  []accessv1alpha3.TrafficTarget
	HTTPRouteGroups []specsv1alpha4.HTTPRouteGroup
	TCPRoutes       []specsv1alpha4.TCPRoute
	TrafficSplits   []splitv1alpha4.TrafficSplit
	// HTTPRoutes have Services as parents.
	HTTPRoutes []gatewayv1.HTTPRoute
	// TLSRoutes and ConnectionRoutes, which are TCPRoutes of the Gateway API, too.
	TLSRoutes        []gatewayv1.TLSRoute
	ConnectionRoutes []gatewayv1.TCPRoute
	ReferenceGrants  []gatewayv1beta1.ReferenceGrant
	Egresses         []policyv1alpha1.Egress
	IngressBackends  []policyv1alpha1.IngressBackend
	// BackendTLSPolicies have Egresses, ExtensionServices and Services as targets, and ConfigMaps have their authorities.
	BackendTLSPolicies []gatewayv1.BackendTLSPolicy
	ConfigMaps         []corev1.ConfigMap
	// ExternalAuthorizations refer to ExtensionServices.
	ExternalAuthorizations []policyv1alpha1.ExternalAuthorization
	ExtensionServices      []configv1alpha2.ExtensionService
}

// account is a service account: the identity of a workload.
type account = types.NamespacedName

func accountOf(pod *corev1.Pod) account {
	return account{Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName}
}

// permissive reports whether destinations in a namespace accept every client: its annotation, or else the MeshConfig.
func (c *Cluster) permissive(namespace string) bool {
	for _, ns := range c.Namespaces {
		if ns.Name != namespace {
			continue
		}
		switch ns.Annotations["openservicemesh.io/permissive-traffic-policy"] {
		case "enabled":
			return true
		case "disabled":
			return false
		}
	}
	return c.MeshConfig.Spec.Traffic.EnablePermissiveTrafficPolicyMode
}

func (c *Cluster) service(name types.NamespacedName) *corev1.Service {
	i := slices.IndexFunc(c.Services, func(s corev1.Service) bool { return s.Namespace == name.Namespace && s.Name == name.Name })
	if i < 0 {
		return nil
	}
	return &c.Services[i]
}

func portOf(service *corev1.Service, number int32) *corev1.ServicePort {
	i := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == number })
	if i < 0 {
		return nil
	}
	return &service.Spec.Ports[i]
}

func headless(service *corev1.Service) bool { return service.Spec.ClusterIP == corev1.ClusterIPNone }

// isHTTP reports whether a port carries HTTP requests.
func isHTTP(port corev1.ServicePort) bool {
	return *port.AppProtocol == "http" || *port.AppProtocol == "grpc"
}

// selected returns the pods that a Service selects, or that are behind its handwritten EndpointSlices.
func (c *Cluster) selected(service *corev1.Service) []*corev1.Pod {
	if len(service.Spec.Selector) == 0 {
		return c.addressed(service)
	}
	var list []*corev1.Pod
	for i := range c.Pods {
		pod := &c.Pods[i]
		matches := pod.Namespace == service.Namespace
		for key, value := range service.Spec.Selector {
			matches = matches && pod.Labels[key] == value
		}
		if matches {
			list = append(list, pod)
		}
	}
	return list
}

// accounts returns the service accounts of the pods that a Service selects.
func (c *Cluster) accounts(service *corev1.Service) []account {
	var list []account
	for _, pod := range c.selected(service) {
		if sa := accountOf(pod); !slices.Contains(list, sa) {
			list = append(list, sa)
		}
	}
	return list
}

// slicesOf returns the EndpointSlices of a Service.
func (c *Cluster) slicesOf(service *corev1.Service) []discoveryv1.EndpointSlice {
	var list []discoveryv1.EndpointSlice
	for _, slice := range c.EndpointSlices {
		if slice.Namespace == service.Namespace && slice.Labels[discoveryv1.LabelServiceName] == service.Name {
			list = append(list, slice)
		}
	}
	return list
}

// containerPort returns the container port of a Service port, or 0 when no pod and no EndpointSlice has the named one.
func (c *Cluster) containerPort(service *corev1.Service, port corev1.ServicePort) int32 {
	if number, known := c.handwrittenPort(service, port); known {
		return number
	}
	if name := port.TargetPort.StrVal; name == "" {
		return port.TargetPort.IntVal
	}
	for _, pod := range c.selected(service) {
		for _, container := range pod.Spec.Containers {
			for _, p := range container.Ports {
				if p.Name == port.TargetPort.StrVal {
					return p.ContainerPort
				}
			}
		}
	}
	for _, slice := range c.slicesOf(service) {
		for _, p := range slice.Ports {
			if *p.Name == port.Name {
				return *p.Port
			}
		}
	}
	return 0
}

// endpoint is a pod behind a Service.
type endpoint struct {
	account account
	address string
	// ready is false for a terminating pod that still serves, and for one whose node does not report. serving is true for all of them. Other pods
	// have only clients that chose them.
	ready, serving bool
}

// endpoints returns the endpoints of a port of a Service that serve, or all of a headless one, whose clients choose.
func (c *Cluster) endpoints(service *corev1.Service, port corev1.ServicePort) []endpoint {
	var list []endpoint
	for _, slice := range c.slicesOf(service) {
		if len(service.Spec.Selector) == 0 && numberIn(slice, port) == 0 {
			continue
		}
		for _, e := range slice.Endpoints {
			pod := c.behind(service, e)
			serving := *e.Conditions.Ready || *e.Conditions.Terminating && *e.Conditions.Serving ||
				pod != nil && len(service.Spec.Selector) > 0 && isMarkedByNodeController(pod)
			if pod != nil && (serving || headless(service)) {
				list = append(list, endpoint{account: accountOf(pod), address: e.Addresses[0], ready: *e.Conditions.Ready &&
					pod.DeletionTimestamp == nil, serving: serving})
			}
		}
	}
	return list
}

// isMarkedByNodeController reports whether a pod is not ready although its containers are, and nothing says why.
func isMarkedByNodeController(pod *corev1.Pod) bool {
	has := func(kind corev1.PodConditionType, status corev1.ConditionStatus) bool {
		return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind && c.Status == status && c.Reason == "" })
	}
	return has(corev1.PodReady, corev1.ConditionFalse) && has(corev1.ContainersReady, corev1.ConditionTrue)
}

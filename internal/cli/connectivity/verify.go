package connectivity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Mesh is the mesh to verify, with functions that read pods and sidecars.
type Mesh struct {
	explain.Mesh
	TrustDomain string
	// Pod reads a pod from the cluster.
	Pod func(ctx context.Context, name entity.Name) (*corev1.Pod, error)
	// Connected returns the state of a pod's sidecar in the control plane. text explains why it is not good.
	Connected func(ctx context.Context, name entity.Name) (good bool, text string, err error)
	// Sidecar reads the configuration of a pod's Envoy.
	Sidecar func(ctx context.Context, name entity.Name) (*Sidecar, error)
	Now     time.Time
}

// Question is the question whether one pod can connect to another through a Service.
type Question struct {
	From, To entity.Name
	// Service is empty for any Service that selects the pod.
	Service entity.Name
	// Protocol is the protocol of the port. Other ports are ignored.
	Protocol inventory.Protocol
}

// Verify answers a question.
func (m Mesh) Verify(ctx context.Context, q Question) diagnosis.Finding {
	title := fmt.Sprintf("Verify if pod %q can access pod %q", q.From, q.To)
	if q.Service != (entity.Name{}) {
		title += fmt.Sprintf(" for service %q", q.Service)
	}
	v := m.Catalog.View()
	services, ports := m.services(v, q)
	parts := []diagnosis.Finding{m.sidecar(ctx, v, "source", q.From), m.sidecar(ctx, v, "destination", q.To), ports}
	if ports.Severity != diagnosis.OK {
		return diagnosis.Group(title, parts...)
	}
	verdict := m.verdict(ctx, v, q, services)
	all := append(parts, verdict)
	if verdict.Severity == diagnosis.OK {
		all = append(all, m.verifyConfiguration(ctx, v, "source", q.From), m.verifyConfiguration(ctx, v, "destination", q.To))
	}
	return diagnosis.Group(title, all...)
}

// sidecar verifies that a pod has a connected sidecar of the mesh.
func (m Mesh) sidecar(ctx context.Context, v *catalog.View, role string, name entity.Name) diagnosis.Finding {
	title := fmt.Sprintf("Verify the sidecar of %s pod %q", role, name)
	pod, err := m.Pod(ctx, name)
	if err != nil {
		return diagnosis.Group(title, unknown("The pod can be read", err, "specify the pod as NAMESPACE/NAME"))
	}
	switch gateway := v.Pod(name); {
	case v.InMesh(name.Namespace), gateway != nil && v.IsServed(gateway):
	case name.Namespace == v.Settings().Namespace:
		return diagnosis.Group(title, failure("Its namespace belongs to mesh "+m.Name, fmt.Sprintf("namespace %s has the control plane, and the pod is no gateway", name.Namespace), ""))
	default:
		return diagnosis.Group(title, failure("Its namespace belongs to mesh "+m.Name, fmt.Sprintf("namespace %s does not", name.Namespace),
			fmt.Sprintf("run osm namespace add %s --mesh-name %s and restart the pods", name.Namespace, m.Name)))
	}
	parts := []diagnosis.Finding{success("Its namespace belongs to mesh "+m.Name, ""), injected(pod)}
	if parts[1].Severity != diagnosis.OK {
		return diagnosis.Group(title, parts...)
	}
	parts = append(parts, m.connected(ctx, pod))
	if _, err := m.Sidecar(ctx, name); err != nil {
		return diagnosis.Group(title, append(parts, unknown("The sidecar responds", err, ""))...)
	}
	return diagnosis.Group(title, append(parts, success("The sidecar responds", ""))...)
}

func injected(pod *corev1.Pod) diagnosis.Finding {
	const title = "The pod has a sidecar"
	has := ingest.IsInjected(pod) || slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == names.SidecarContainer })
	switch {
	case !has || pod.Labels[names.ProxyUUIDLabel] == "":
		return failure(title, "it has no sidecar", "restart the pod; if it still has no sidecar, check the annotation "+names.InjectionAnnotation+" of the pod and its namespace")
	case pod.Status.Phase != corev1.PodRunning:
		return failure(title, "its phase is "+string(pod.Status.Phase), fmt.Sprintf("run kubectl -n %s describe pod %s", pod.Namespace, pod.Name))
	}
	return success(title, "")
}

func (m Mesh) connected(ctx context.Context, pod *corev1.Pod) diagnosis.Finding {
	const title = "The sidecar is connected and has acknowledged its configuration"
	name := entity.Name{Namespace: pod.Namespace, Name: pod.Name}
	good, text, err := m.Connected(ctx, name)
	switch {
	case err != nil:
		return unknown(title, err, "")
	case !good:
		return failure(title, text, fmt.Sprintf("see `osm proxy status %s` and the sidecar log: %s", name, kube.LogsCommand(pod)))
	}
	return success(title, "")
}

// services returns the Services of the destination that have a port with the protocol.
func (m Mesh) services(v *catalog.View, q Question) ([]*inventory.Service, diagnosis.Finding) {
	title := fmt.Sprintf("A Service with protocol %[2]s selects pod %[1]q", q.To, q.Protocol)
	pod := v.Pod(q.To)
	if pod == nil {
		return nil, unknown(title, errors.New("the pod is not part of the mesh"), "")
	}
	of := v.ServicesOfPod(pod)
	if q.Service != (entity.Name{}) {
		if v.Service(q.Service) == nil {
			return nil, failure(title, fmt.Sprintf("Service %s not found in the mesh", q.Service), "create it, or check --to-service")
		}
		of = []entity.Name{q.Service}
	}
	if len(of) == 0 {
		return nil, failure(title, "no Service selects the pod, and sidecars can only reach pods through Services", "create a Service whose selector matches the pod")
	}
	var matching []*inventory.Service
	var others []string
	for _, name := range of {
		service := v.Service(name)
		if slices.ContainsFunc(service.Ports, func(p inventory.Port) bool { return p.Protocol == q.Protocol }) {
			matching = append(matching, service)
		}
		for _, p := range service.Ports {
			others = append(others, fmt.Sprintf("%s:%d (%s)", name, p.Number, p.Protocol))
		}
	}
	switch {
	case len(matching) > 0 && !slices.ContainsFunc(matching, func(service *inventory.Service) bool { return leadsTo(v, q.From.Namespace, service, pod) }):
		return nil, failure(title, fmt.Sprintf("Service %s does not select the pod", q.Service), "compare the Service's selector with the pod's labels")
	case len(matching) == 0:
		return nil, failure(title, "the ports are "+strings.Join(others, ", "), "set --app-protocol, or set the protocol with the appProtocol or the name prefix of the port")
	}
	return matching, success(title, "")
}

// leadsTo reports whether a Service, or a backend of its TrafficSplits and routes for the clients of a namespace, selects a pod.
func leadsTo(v *catalog.View, clients string, service *inventory.Service, pod *inventory.Instance) bool {
	of := v.ServicesOfPod(pod)
	return slices.Contains(of, service.Name) || slices.ContainsFunc(service.Ports, func(port inventory.Port) bool {
		destinations := authz.Destinations(v, authz.Request{Source: identity.ServiceAccount{Namespace: clients}, Service: service.Name, Port: port.Number})
		return slices.ContainsFunc(destinations, func(d authz.Destination) bool { return slices.Contains(of, d.Service) })
	})
}

// verdict evaluates the policies.
func (m Mesh) verdict(ctx context.Context, v *catalog.View, q Question, services []*inventory.Service) diagnosis.Finding {
	const title = "Policies allow the source to connect to the destination"
	from := explain.Reference{Kind: explain.KindPod, Namespace: q.From.Namespace, Name: q.From.Name}
	var reasons []string
	for _, service := range services {
		for _, port := range service.Ports {
			if port.Protocol != q.Protocol {
				continue
			}
			answer, err := explain.Evaluate(ctx, m.Mesh, explain.Question{From: from, To: target(v, q.To, service, port)})
			if err != nil {
				return unknown(title, err, "")
			}
			if answer.Allowed || answer.Partly {
				return success(title, answer.Headline())
			}
			reasons = append(reasons, reasonsOf(answer)...)
		}
	}
	return failure(title, "missing: "+strings.Join(lists.Unique(reasons), "; "),
		fmt.Sprintf("osm explain %s/pod/%s to %s/pod/%s --remedy prints the policies that would allow it", q.From.Namespace, q.From.Name, q.To.Namespace, q.To.Name))
}

// target returns the pod with a port, or the Service if it only reaches the pod through a TrafficSplit.
func target(v *catalog.View, pod entity.Name, service *inventory.Service, port inventory.Port) explain.Reference {
	if slices.Contains(v.ServicesOfPod(v.Pod(pod)), service.Name) {
		return explain.Reference{Kind: explain.KindPod, Namespace: pod.Namespace, Name: pod.Name, Port: port.Number}
	}
	return explain.Reference{Kind: explain.KindService, Namespace: service.Name.Namespace, Name: service.Name.Name, Port: port.Number}
}

func reasonsOf(answer *explain.Answer) []string {
	var all []string
	for _, candidate := range answer.Candidates {
		if candidate.Missing != "" {
			all = append(all, candidate.Missing)
		}
	}
	for _, f := range answer.Missing {
		all = append(all, f.Message)
	}
	return all
}

func success(check, message string) diagnosis.Finding {
	return diagnosis.Finding{Severity: diagnosis.OK, Check: check, Message: message}
}

func failure(check, message, remedy string) diagnosis.Finding {
	return diagnosis.Finding{Severity: diagnosis.Error, Check: check, Message: message, Remedy: remedy}
}

func unknown(check string, err error, remedy string) diagnosis.Finding {
	return diagnosis.Finding{Severity: diagnosis.Unknown, Check: check, Message: err.Error(), Remedy: remedy}
}

package connectivity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Mesh is what is asked, and who can be asked about it.
type Mesh struct {
	explain.Mesh
	TrustDomain string
	// Pod reads a pod of the cluster.
	Pod func(ctx context.Context, name catalog.Name) (*corev1.Pod, error)
	// Connected says in which state the control plane sees a pod's sidecar; the text explains a bad one.
	Connected func(ctx context.Context, name catalog.Name) (good bool, text string, err error)
	// Sidecar asks the Envoy of a pod about itself.
	Sidecar func(ctx context.Context, name catalog.Name) (*Sidecar, error)
	Now     time.Time
}

// Question is whether one pod reaches another one by a Service.
type Question struct {
	From, To catalog.Name
	// Service is empty for any Service that leads to the pod.
	Service catalog.Name
	// Protocol is that of the port; only ports that speak it count.
	Protocol catalog.Protocol
}

// Verify answers a question.
func (m Mesh) Verify(ctx context.Context, q Question) Check {
	title := fmt.Sprintf("Verify if pod %q can access pod %q", q.From, q.To)
	if q.Service != (catalog.Name{}) {
		title += fmt.Sprintf(" for service %q", q.Service)
	}
	v := m.Catalog.View()
	services, ports := m.services(v, q)
	sound := []Check{m.sidecar(ctx, v, "source", q.From), m.sidecar(ctx, v, "destination", q.To), ports}
	if ports.Status != Success {
		return group(title, sound...)
	}
	verdict := m.verdict(ctx, v, q, services)
	all := append(sound, verdict)
	if verdict.Status == Success {
		by := reached(v, services)
		all = append(all, m.configured(ctx, v, "source", q.From, outbound, by), m.configured(ctx, v, "destination", q.To, inbound, m.own(v, q.To, by)))
	}
	return group(title, all...)
}

// sidecar verifies that a pod has a sidecar of the mesh which is connected.
func (m Mesh) sidecar(ctx context.Context, v *catalog.View, role string, name catalog.Name) Check {
	title := fmt.Sprintf("Verify the sidecar of %s pod %q", role, name)
	pod, err := m.Pod(ctx, name)
	if err != nil {
		return group(title, unknown("The pod can be read", err, "name it as NAMESPACE/NAME"))
	}
	if !v.InMesh(name.Namespace) {
		return group(title, failure("Its namespace belongs to mesh "+m.Name, fmt.Sprintf("the namespace %s does not", name.Namespace),
			fmt.Sprintf("osm namespace add %s --mesh-name %s, then restart its pods", name.Namespace, m.Name)))
	}
	parts := []Check{success("Its namespace belongs to mesh %s", m.Name), injected(pod)}
	if parts[1].Status != Success {
		return group(title, parts...)
	}
	parts = append(parts, m.connected(ctx, name))
	if _, err := m.Sidecar(ctx, name); err != nil {
		return group(title, append(parts, unknown("The sidecar answers", err, ""))...)
	}
	return group(title, append(parts, success("The sidecar answers"))...)
}

func injected(pod *corev1.Pod) Check {
	const title = "The pod runs with a sidecar"
	has := slices.ContainsFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(c corev1.Container) bool { return c.Name == names.SidecarContainer })
	switch {
	case !has || pod.Labels[names.ProxyUUIDLabel] == "":
		return failure(title, "it has none", "restart it; when it still has none, see its annotation "+names.InjectionAnnotation+" and that of its namespace")
	case pod.Status.Phase != corev1.PodRunning:
		return failure(title, "it is "+string(pod.Status.Phase), fmt.Sprintf("see why: kubectl -n %s describe pod %s", pod.Namespace, pod.Name))
	}
	return success("%s", title)
}

func (m Mesh) connected(ctx context.Context, name catalog.Name) Check {
	const title = "The control plane serves the sidecar, and it has acknowledged its configuration"
	good, text, err := m.Connected(ctx, name)
	switch {
	case err != nil:
		return unknown(title, err, "")
	case !good:
		return failure(title, text, fmt.Sprintf("see `osm proxy status %s`, and the log of the sidecar: kubectl -n %s logs %s -c %s", name, name.Namespace, name.Name, names.SidecarContainer))
	}
	return success("%s", title)
}

// services are those by which the destination is called, with a port of the protocol.
func (m Mesh) services(v *catalog.View, q Question) ([]*catalog.Service, Check) {
	title := fmt.Sprintf("A Service leads to pod %q, with a port that speaks %s", q.To, q.Protocol)
	pod := v.Pod(q.To)
	if pod == nil {
		return nil, unknown(title, errors.New("the mesh does not know the pod"), "")
	}
	of := v.ServicesOfPod(pod)
	if q.Service != (catalog.Name{}) {
		if v.Service(q.Service) == nil {
			return nil, failure(title, fmt.Sprintf("the mesh has no Service %s", q.Service), "create it, or correct --to-service")
		}
		of = []catalog.Name{q.Service}
	}
	if len(of) == 0 {
		return nil, failure(title, "no Service does, and sidecars reach pods through Services only", "create a Service whose selector matches the pod")
	}
	var speaking []*catalog.Service
	var others []string
	for _, name := range of {
		service := v.Service(name)
		if slices.ContainsFunc(service.Ports, func(p catalog.Port) bool { return p.Protocol == q.Protocol }) {
			speaking = append(speaking, service)
		}
		for _, p := range service.Ports {
			others = append(others, fmt.Sprintf("%s:%d (%s)", name, p.Number, p.Protocol))
		}
	}
	switch {
	case len(speaking) > 0 && len(m.own(v, q.To, reached(v, speaking))) == 0:
		return nil, failure(title, fmt.Sprintf("the Service %s does not lead to the pod", q.Service), "compare the Service's selector with the pod's labels")
	case len(speaking) == 0:
		return nil, failure(title, "the ports are "+strings.Join(others, ", "), "choose --app-protocol, or say the protocol by the port's appProtocol or the beginning of its name")
	}
	return speaking, success("%s", title)
}

// verdict asks the policy engine.
func (m Mesh) verdict(ctx context.Context, v *catalog.View, q Question, services []*catalog.Service) Check {
	const title = "Policies let the source connect to the destination"
	from := explain.Reference{Kind: explain.KindPod, Namespace: q.From.Namespace, Name: q.From.Name}
	var reasons []string
	for _, service := range services {
		for _, port := range service.Ports {
			if port.Protocol != q.Protocol {
				continue
			}
			answer, err := explain.Ask(ctx, m.Mesh, explain.Question{From: from, To: target(v, q.To, service, port)})
			if err != nil {
				return unknown(title, err, "")
			}
			if answer.Allowed || answer.Partly {
				return success("%s: %s", title, answer.Headline())
			}
			reasons = append(reasons, reasonsOf(answer)...)
		}
	}
	slices.Sort(reasons)
	return failure(title, "missing: "+strings.Join(slices.Compact(reasons), "; "),
		fmt.Sprintf("osm explain %s/pod/%s to %s/pod/%s --remedy prints the policies that would allow it", q.From.Namespace, q.From.Name, q.To.Namespace, q.To.Name))
}

// target is the pod by a port, or the Service when it leads there by a TrafficSplit only.
func target(v *catalog.View, pod catalog.Name, service *catalog.Service, port catalog.Port) explain.Reference {
	if slices.Contains(v.ServicesOfPod(v.Pod(pod)), service.Name) {
		return explain.Reference{Kind: explain.KindPod, Namespace: pod.Namespace, Name: pod.Name, Port: port.Number}
	}
	return explain.Reference{Kind: explain.KindService, Namespace: service.Name.Namespace, Name: service.Name.Name, Port: port.Number}
}

func reasonsOf(answer *explain.Answer) []string {
	var all []string
	for _, way := range answer.Ways {
		if way.Missing != "" {
			all = append(all, way.Missing)
		}
	}
	for _, piece := range answer.Missing {
		all = append(all, piece.What)
	}
	return all
}

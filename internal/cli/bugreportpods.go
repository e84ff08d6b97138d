package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/operators"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// choice is what the flags add to a report.
type choice struct {
	// namespaces are sorted and unique.
	namespaces []string
	pods       []corev1.Pod
	kinds      []schema.GroupVersionKind
}

// operatorNamespace returns the namespace of the operator. If it cannot be found, it is the default one.
func (r *bugReport) operatorNamespace(ctx context.Context) string {
	if elsewhere, err := operators.Elsewhere(ctx, r.client); err == nil && elsewhere != "" {
		return elsewhere
	}
	return names.OperatorNamespace
}

// choose resolves the flags. It fails if a flag names an object that does not exist.
func (r *bugReport) choose(ctx context.Context, subject checks.Subject, o bugReportOptions) (choice, error) {
	chosen := choice{namespaces: append([]string{r.operatorNamespace(ctx), subject.Namespace}, o.namespaces...)}
	if o.all {
		meshes, err := r.app.meshes(ctx, r.client)
		if err != nil {
			return chosen, err
		}
		for _, m := range meshes {
			if m.Name == subject.Mesh {
				chosen.namespaces = append(chosen.namespaces, m.Members...)
			}
		}
	}
	chosen.namespaces = lists.Unique(chosen.namespaces)
	if o.ingress {
		chosen.kinds = ingress
	}
	for _, name := range o.deployments {
		pods, err := r.podsOfDeployment(ctx, name)
		if err != nil {
			return chosen, err
		}
		chosen.pods = append(chosen.pods, pods...)
	}
	for _, name := range o.pods {
		var pod corev1.Pod
		if err := r.named(ctx, "--app-pods", name, &pod); err != nil {
			return chosen, err
		}
		chosen.pods = append(chosen.pods, pod)
	}
	return chosen, nil
}

// named reads the object "<namespace>/<name>" of a flag.
func (r *bugReport) named(ctx context.Context, flag, text string, object client.Object) error {
	namespace, name, found := strings.Cut(text, "/")
	if !found || namespace == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("invalid %s %s: must be NAMESPACE/NAME", flag, text)
	}
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		return fmt.Errorf("%s %s: %w", flag, text, r.app.kube.Sentence(err))
	}
	return nil
}

// podsOfDeployment returns the pods of a Deployment and adds the Deployment to the report.
func (r *bugReport) podsOfDeployment(ctx context.Context, name string) ([]corev1.Pod, error) {
	var deployment appsv1.Deployment
	if err := r.named(ctx, "--app-deployments", name, &deployment); err != nil {
		return nil, err
	}
	selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("--app-deployments %s: %w", name, err)
	}
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(deployment.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	return pods.Items, r.putObject(&deployment, path.Join(deployment.Namespace, "deployments", deployment.Name+".yaml"))
}

// putObject adds an object as a file.
func (r *bugReport) putObject(object client.Object, file string) error {
	kind, err := r.client.GroupVersionKindFor(object)
	if err != nil {
		return err
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	object.SetManagedFields(nil)
	text, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	return r.put(file, text)
}

// pod adds a pod, its logs and its sidecar.
func (r *bugReport) pod(ctx context.Context, p *corev1.Pod) error {
	if r.held[p.UID] {
		return nil
	}
	if err := r.putObject(p, path.Join(p.Namespace, "pods", p.Name+".yaml")); err != nil {
		return err
	}
	return r.inside(ctx, p)
}

// inside adds, once per pod, the logs of its containers and the state of its sidecar.
func (r *bugReport) inside(ctx context.Context, p *corev1.Pod) error {
	if r.held[p.UID] {
		return nil
	}
	r.held[p.UID] = true
	r.progress.report("pod %s/%s", p.Namespace, p.Name)
	for _, container := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if err := r.log(ctx, p, container.Name); err != nil {
			return err
		}
	}
	if p.Labels[names.ProxyUUIDLabel] == "" || p.Status.Phase != corev1.PodRunning {
		return nil
	}
	serving, err := r.sidecar(ctx, p)
	if err != nil {
		return err
	}
	for _, slot := range kube.Slots(p) {
		if slot == serving {
			continue
		}
		if err := r.slot(ctx, p, slot); err != nil {
			return err
		}
	}
	return nil
}

// slot adds the state of an Envoy that starts or drains. Most slots that do not serve are idle, and have none.
func (r *bugReport) slot(ctx context.Context, p *corev1.Pod, slot string) error {
	for _, page := range adminPages {
		text, err := r.slotAnswer(ctx, p.Namespace, p.Name, slot, http.MethodGet, "/"+page)
		if errors.Is(err, kube.ErrIdle) {
			return nil
		}
		if err != nil {
			r.gaps = append(r.gaps, fmt.Sprintf("Envoy in slot %s of pod %s/%s: %v", slot, p.Namespace, p.Name, err))
			return nil
		}
		if err := r.put(path.Join(p.Namespace, "envoy", p.Name+"."+slot+"."+page+".txt"), text); err != nil {
			return err
		}
	}
	return nil
}

// serverInfo is the page with the node of an Envoy.
const serverInfo = "server_info"

// adminPages are the pages of Envoy's admin interface that a report contains.
var adminPages = []string{"config_dump", "clusters", "listeners", "certs", "stats", serverInfo}

// sidecar adds the state of the Envoy that serves in a pod, and returns its slot, if it has one. Pages that cannot be read are recorded as gaps.
func (r *bugReport) sidecar(ctx context.Context, p *corev1.Pod) (slot string, err error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	address, err := r.app.kube.Forward(ctx, p.Namespace, p.Name, 0, names.AdminPort)
	if err != nil {
		r.gaps = append(r.gaps, fmt.Sprintf("sidecar of pod %s/%s: %v", p.Namespace, p.Name, err))
		return slot, nil
	}
	for _, page := range adminPages {
		text, err := readAdmin(ctx, address, page)
		if _, isStatus := errors.AsType[adminStatusError](err); isStatus {
			r.gaps = append(r.gaps, fmt.Sprintf("%s of the sidecar of pod %s/%s: %v", page, p.Namespace, p.Name, err))
			continue
		}
		if err != nil {
			r.gaps = append(r.gaps, fmt.Sprintf("sidecar of pod %s/%s does not respond: %v", p.Namespace, p.Name, err))
			return slot, nil
		}
		if page == serverInfo {
			slot = slotOf(text)
		}
		if err := r.put(path.Join(p.Namespace, "envoy", p.Name+"."+page+".txt"), text); err != nil {
			return slot, err
		}
	}
	return slot, nil
}

// slotOf returns the slot of an Envoy from its server_info; empty in a pod without slots.
func slotOf(info []byte) string {
	var read struct {
		Node struct {
			Metadata map[string]any `json:"metadata"`
		} `json:"node"`
	}
	_ = json.Unmarshal(info, &read) // an unreadable answer names no slot
	slot, _ := read.Node.Metadata[names.SlotMetadata].(string)
	return slot
}

// adminStatusError is the HTTP status of a page that Envoy does not serve.
type adminStatusError string

// Error implements error.
func (e adminStatusError) Error() string { return string(e) }

// readAdmin reads a page of Envoy's admin interface.
func readAdmin(ctx context.Context, address, page string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/"+page, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, adminStatusError(response.Status)
	}
	return io.ReadAll(response.Body)
}

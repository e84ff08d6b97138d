package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxTapped is the maximum number of pods whose logs are read at once.
const maxTapped = 50

// tappedPods returns the running pods with a sidecar that a command selects, and a client for their logs.
func (a *app) tappedPods(ctx context.Context, selected string, o *tapOptions) (map[tap.Pod]*corev1.Pod, kubernetes.Interface, error) {
	if err := o.filter.Check(); err != nil {
		return nil, nil, err
	}
	c, m, err := a.open(ctx, o.meshName, &o.form)
	if err != nil {
		return nil, nil, err
	}
	namespaces, selects, err := a.tapSelection(m, selected)
	if err != nil {
		return nil, nil, err
	}
	pods, err := podsWithSidecars(ctx, c, namespaces, selects)
	switch {
	case err != nil:
		return nil, nil, err
	case len(pods) == 0 && selected != "":
		return nil, nil, fmt.Errorf("no running pod with a sidecar belongs to %s in namespace %s: use pod/NAME, deploy/NAME or sa/NAME", selected, namespaces[0])
	case len(pods) == 0:
		return nil, nil, fmt.Errorf("no running pod has a sidecar in %s", formatPlace(a.kube.OnlyNamespace(), m))
	case len(pods) > maxTapped:
		return nil, nil, fmt.Errorf("%d pods are selected, at most %d logs are read at once: select a namespace by -n, or a workload", len(pods), maxTapped)
	}
	config, err := a.kube.Config()
	if err != nil {
		return nil, nil, err
	}
	logs, err := kubernetes.NewForConfig(config)
	return pods, logs, err
}

// tapSelection returns the namespaces of a selection, and what selects pods in them.
func (a *app) tapSelection(m mesh, selected string) ([]string, func(*corev1.Pod) bool, error) {
	everything := func(*corev1.Pod) bool { return true }
	if selected == "" && a.kube.OnlyNamespace() == "" {
		return m.Members, everything, nil
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return nil, nil, err
	}
	if selected == "" {
		return []string{namespace}, everything, m.checkMember(namespace)
	}
	reference, err := explain.ParseReference(selected, namespace)
	if err != nil {
		return nil, nil, err
	}
	return []string{reference.Namespace}, func(p *corev1.Pod) bool { return isSelected(p, reference) }, m.checkMember(reference.Namespace)
}

func podsWithSidecars(ctx context.Context, c client.Client, namespaces []string, selects func(*corev1.Pod) bool) (map[tap.Pod]*corev1.Pod, error) {
	found := map[tap.Pod]*corev1.Pod{}
	for _, namespace := range namespaces {
		var pods corev1.PodList
		if err := c.List(ctx, &pods, client.InNamespace(namespace), client.HasLabels{names.ProxyUUIDLabel}); err != nil {
			return nil, err
		}
		for i := range pods.Items {
			if p := &pods.Items[i]; p.Status.Phase == corev1.PodRunning && selects(p) {
				found[tap.Pod{Namespace: p.Namespace, Name: p.Name}] = p
			}
		}
	}
	return found, nil
}

// isSelected reports whether a pod is the one of a reference, or belongs to its workload or account. A name without a kind can be any of them.
func isSelected(p *corev1.Pod, r explain.Reference) bool {
	owner := workload.Of(p)
	matches := map[string]bool{
		explain.KindPod: p.Name == r.Name, explain.KindServiceAccount: p.Spec.ServiceAccountName == r.Name, strings.ToLower(owner.Kind): owner.Name == r.Name,
	}
	if r.Kind != "" {
		return matches[r.Kind]
	}
	return matches[explain.KindPod] || matches[strings.ToLower(owner.Kind)]
}

func keysOf(pods map[tap.Pod]*corev1.Pod) []tap.Pod {
	var keys []tap.Pod
	for key := range pods {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b tap.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return keys
}

// opener opens the log of a sidecar from now on.
func opener(logs kubernetes.Interface) func(context.Context, tap.Pod) (io.ReadCloser, error) {
	return func(ctx context.Context, pod tap.Pod) (io.ReadCloser, error) {
		options := &corev1.PodLogOptions{Container: names.SidecarContainer, Follow: true, TailLines: ptr.To(int64(0))}
		stream, err := logs.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
		if err != nil {
			return nil, fmt.Errorf("the log of the sidecar in pod %s/%s cannot be read: %w", pod.Namespace, pod.Name, err)
		}
		return stream, nil
	}
}

func podsInWords(pods map[tap.Pod]*corev1.Pod) string {
	if keys := keysOf(pods); len(keys) == 1 {
		return "pod " + keys[0].Namespace + "/" + keys[0].Name
	}
	return fmt.Sprintf("%d pods", len(pods))
}

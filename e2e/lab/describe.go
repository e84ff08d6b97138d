package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Logs returns the last lines of a container's log.
func (c *Cluster) Logs(ctx context.Context, namespace, pod, container string, lines int64) (string, error) {
	return c.readLog(ctx, namespace, pod, &corev1.PodLogOptions{Container: container, TailLines: &lines})
}

// LogsSince returns the log of a container since a time, as far as its node still has it.
func (c *Cluster) LogsSince(ctx context.Context, namespace, pod, container string, since time.Time) (string, error) {
	return c.readLog(ctx, namespace, pod, &corev1.PodLogOptions{Container: container, SinceTime: ptr.To(metav1.NewTime(since))})
}

func (c *Cluster) readLog(ctx context.Context, namespace, pod string, options *corev1.PodLogOptions) (string, error) {
	clients, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return "", err
	}
	data, err := clients.CoreV1().Pods(namespace).GetLogs(pod, options).DoRaw(ctx)
	return string(data), err
}

// Describe describes the pods of a namespace and the control plane, for the report of a failed test.
func (c *Cluster) Describe(ctx context.Context, namespace string) string {
	var b strings.Builder
	// The Services come first: what cannot be reached now may be reached a moment later.
	b.WriteString(c.reach(ctx, names.DefaultNamespace))
	var pods corev1.PodList
	if err := c.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return err.Error()
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		fmt.Fprintf(&b, "== pod %s/%s %s %v\n", namespace, pod.Name, pod.Status.Phase, pod.Status.PodIPs)
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			fmt.Fprintf(&b, "  %s ready=%t restarts=%d %s\n", status.Name, status.Ready, status.RestartCount, describe(status.State))
		}
		c.describeSidecar(ctx, &b, pod)
	}
	b.WriteString(c.ControlPlaneLogs(ctx, names.DefaultNamespace))
	return b.String()
}

// describeSidecar adds the log, the listeners and the endpoints of a sidecar.
func (c *Cluster) describeSidecar(ctx context.Context, b *strings.Builder, pod *corev1.Pod) {
	for _, container := range pod.Spec.InitContainers {
		if container.Name != names.SidecarContainer && container.Name != names.InitContainer {
			continue
		}
		if logs, err := c.Logs(ctx, pod.Namespace, pod.Name, container.Name, 5000); err == nil && logs != "" {
			fmt.Fprintf(b, "  log of %s:\n%s\n", container.Name, indent(notable(logs)))
		}
		if container.Name == names.SidecarContainer && pod.Status.Phase == corev1.PodRunning {
			listeners, err := c.Admin(ctx, pod.Namespace, pod.Name, "/listeners")
			fmt.Fprintf(b, "  listeners: %s %v\n", strings.Join(strings.Fields(listeners), " "), errorText(err))
		}
	}
}

// notable returns the last lines of a log, and before them the latest requests that failed in a server or on the way to it, and the latest WebSockets.
func notable(logs string) string {
	const last, failed = 15, 10
	lines := strings.Split(strings.TrimSpace(logs), "\n")
	end := max(len(lines)-last, 0)
	earlier := slices.DeleteFunc(slices.Clone(lines[:end]), func(line string) bool {
		return !strings.Contains(line, `"response_code":5`) && !strings.Contains(line, `"response_code":101`)
	})
	return strings.Join(slices.Concat(earlier[max(len(earlier)-failed, 0):], lines[end:]), "\n")
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// withoutStartup drops log lines about starting components, which rarely explain a failure.
func withoutStartup(logs string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(logs, "\n"), func(line string) bool {
		return strings.Contains(line, `"msg":"Starting`)
	}), "\n")
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

// Admin sends a GET request to a sidecar's admin interface.
func (c *Cluster) Admin(ctx context.Context, namespace, pod, path string) (string, error) {
	return c.get(ctx, namespace, pod, names.AdminPort, path)
}

// get sends a GET request to an HTTP server inside a pod.
func (c *Cluster) get(ctx context.Context, namespace, pod string, port int, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	address, err := c.Forward(ctx, namespace, pod, port)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return string(data), err
}

// GetJSON sends a GET request to an HTTP server inside a pod and decodes the response.
func (c *Cluster) GetJSON(ctx context.Context, namespace, pod string, port int, path string, into any) error {
	text, err := c.get(ctx, namespace, pod, port, path)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

// ControlPlaneLogs returns the ends of the logs of the operator and of the control plane in a namespace.
func (c *Cluster) ControlPlaneLogs(ctx context.Context, namespace string) string {
	var b strings.Builder
	for _, namespace := range []string{names.OperatorNamespace, namespace} {
		var pods corev1.PodList
		if err := c.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			return err.Error()
		}
		for _, pod := range pods.Items {
			logs, err := c.Logs(ctx, namespace, pod.Name, pod.Spec.Containers[0].Name, 60)
			fmt.Fprintf(&b, "== log of %s/%s %s\n%s\n", namespace, pod.Name, errorText(err), indent(withoutStartup(logs)))
		}
		b.WriteString(c.unreadyContainers(ctx, namespace))
		b.WriteString(startsOf(pods.Items))
		b.WriteString(c.events(ctx, namespace, ""))
	}
	// Pods of a node that is marked lost are not among the endpoints.
	b.WriteString(c.events(ctx, metav1.NamespaceDefault, "Node"))
	return b.String()
}

// startsOf describes when pods were created, and when their conditions changed last.
func startsOf(pods []corev1.Pod) string {
	text := ""
	for _, pod := range pods {
		text += fmt.Sprintf("pod %s created at %s", pod.Name, pod.CreationTimestamp.Format(time.TimeOnly))
		for _, condition := range pod.Status.Conditions {
			text += fmt.Sprintf(", %s=%s at %s", condition.Type, condition.Status, condition.LastTransitionTime.Format(time.TimeOnly))
		}
		text += "\n"
	}
	return text
}

// events describes the Events of a namespace about objects of a kind; empty for all kinds.
func (c *Cluster) events(ctx context.Context, namespace, kind string) string {
	var events corev1.EventList
	if err := c.Client.List(ctx, &events, client.InNamespace(namespace)); err != nil {
		return err.Error()
	}
	slices.SortFunc(events.Items, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	text := ""
	for _, e := range events.Items {
		if kind == "" || e.InvolvedObject.Kind == kind {
			text += fmt.Sprintf("%s %s at %s, %d times: %s: %s\n", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.LastTimestamp.Format(time.TimeOnly), e.Count, e.Reason, e.Message)
		}
	}
	return text
}

package inject

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
)

// hookKinds returns the lifecycle hooks of a container, in the order of their execution.
func hookKinds() []bootstrap.ProbeKind {
	return []bootstrap.ProbeKind{bootstrap.PostStart, bootstrap.PreStop}
}

// httpHook returns the HTTP request of a container's hook. It returns nil if the hook uses another handler or another host.
func httpHook(c *corev1.Container, kind bootstrap.ProbeKind) *corev1.HTTPGetAction {
	if c.Lifecycle == nil {
		return nil
	}
	handler := c.Lifecycle.PostStart
	if kind == bootstrap.PreStop {
		handler = c.Lifecycle.PreStop
	}
	if handler == nil || handler.HTTPGet == nil || handler.HTTPGet.Host != "" {
		return nil
	}
	return handler.HTTPGet
}

// findHooks returns the hooks that the kubelet calls over the network. The application's mTLS port would reject that call,
// and the kubelet would then kill the container.
func findHooks(pod *corev1.Pod) ([]*rewrittenProbe, error) {
	var all []*rewrittenProbe
	var problems []error
	for _, kind := range hookKinds() {
		for c := range containers(pod) {
			hook := httpHook(c, kind)
			if hook == nil {
				continue
			}
			port, err := portNumber(c, hook.Port)
			if err != nil {
				problems = append(problems, fmt.Errorf("the %s hook of container %s %w", kind, c.Name, err))
				continue
			}
			handler, path := applicationRequest(hook)
			all = append(all, &rewrittenProbe{hook: hook, Probe: bootstrap.Probe{
				Kind: kind, Container: c.Name, Handler: handler, Port: port, Path: path,
			}})
		}
	}
	return all, errors.Join(problems...)
}

package inject

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/envoy/bootstrap"
)

// hookKinds are the hooks of a container, in the order of a container's life.
func hookKinds() []bootstrap.ProbeKind {
	return []bootstrap.ProbeKind{bootstrap.PostStart, bootstrap.PreStop}
}

// hookOf is the request by which the kubelet calls a container's hook; nil for hooks of another kind and for those of another host.
func hookOf(c *corev1.Container, kind bootstrap.ProbeKind) *corev1.HTTPGetAction {
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

// findHooks finds the hooks that the kubelet calls over the network. It would be refused at the application's own port, and then
// kill the container that it has just started.
func findHooks(pod *corev1.Pod) ([]*found, error) {
	var all []*found
	var problems []error
	for _, kind := range hookKinds() {
		for c := range containers(pod) {
			hook := hookOf(c, kind)
			if hook == nil {
				continue
			}
			port, err := portNumber(c, hook.Port)
			if err != nil {
				problems = append(problems, fmt.Errorf("the %s hook of container %s %w", kind, c.Name, err))
				continue
			}
			handler, path := request(hook)
			all = append(all, &found{hook: hook, Probe: bootstrap.Probe{
				Kind: kind, Container: c.Name, Handler: handler, Port: port, Path: path,
			}})
		}
	}
	return all, errors.Join(problems...)
}

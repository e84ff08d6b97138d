package acceptance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/retry"
)

type check struct {
	name string
	run  func(context.Context) error
}

func (c Cluster) checks() []check {
	return []check{
		{"pods and Services have addresses of both families", c.dualStack},
		{"a pod calls a Service by name over IPv4", func(ctx context.Context) error { return c.call(ctx, "tcp4", "server") }},
		{"a pod calls a Service by name over IPv6", func(ctx context.Context) error { return c.call(ctx, "tcp6", "server") }},
		{"a pod calls itself through its Service over IPv4", func(ctx context.Context) error { return c.call(ctx, "tcp4", "client") }},
		{"a pod calls itself through its Service over IPv6", func(ctx context.Context) error { return c.call(ctx, "tcp6", "client") }},
		{"the machine calls a Service by its cluster IPs", c.callFromMachine},
		{"logs show the output of a container", c.logs},
		{"port-forward reaches a pod", c.portForward},
		{"a projected token has the requested audience and a published key", c.checkToken},
		{"a ValidatingAdmissionPolicy rejects an object", c.admission},
		{"a Job with a sidecar completes", func(ctx context.Context) error {
			_, err := c.inNamespace(ctx, "wait", "job/with-sidecar", "--for=condition=Complete", "--timeout=60s")
			return err
		}},
	}
}

func (c Cluster) dualStack(ctx context.Context) error {
	for _, query := range [][]string{
		{"service/server", "jsonpath={.spec.clusterIPs[*]}"},
		{"pod/client", "jsonpath={.status.podIPs[*].ip}"},
	} {
		out, err := c.inNamespace(ctx, "get", query[0], "-o", query[1])
		if err != nil {
			return err
		}
		addresses := strings.Fields(out)
		if len(addresses) != 2 || strings.Contains(addresses[0], ":") || !strings.Contains(addresses[1], ":") {
			return fmt.Errorf("%s has the addresses %q, want one IPv4 and one IPv6", query[0], addresses)
		}
	}
	return nil
}

// call sends requests until every pod of the Service has responded.
func (c Cluster) call(ctx context.Context, family, service string) error {
	names, err := c.inNamespace(ctx, "get", "pods", "-l", "app="+service, "-o", "jsonpath={.items[*].metadata.name}")
	if err != nil {
		return err
	}
	waiting := strings.Fields(names)
	if len(waiting) == 0 {
		return fmt.Errorf("the Service %s has no pods", service)
	}
	return retry.Until(ctx, checkTimeout, checkInterval, func(context.Context) error {
		// The name includes the namespace because a pod resolves its own short name from its hosts file, without DNS.
		answer, err := c.inClient(ctx, "get", family, "http://"+service+"."+c.Namespace+".svc.cluster.local/"+family)
		if err != nil {
			return err
		}
		waiting = slices.DeleteFunc(waiting, func(name string) bool { return strings.HasPrefix(answer, name+" ") })
		if len(waiting) > 0 {
			return fmt.Errorf("%v has not responded; the last response was %q", waiting, answer)
		}
		return nil
	})
}

func (c Cluster) callFromMachine(ctx context.Context) error {
	out, err := c.inNamespace(ctx, "get", "service/server", "-o", "jsonpath={.spec.clusterIPs[*]}")
	if err != nil {
		return err
	}
	for _, address := range strings.Fields(out) {
		if strings.Contains(address, ":") {
			address = "[" + address + "]"
		}
		if _, err := fetch(ctx, "http://"+address+"/"); err != nil {
			return err
		}
	}
	return nil
}

func (c Cluster) logs(ctx context.Context) error {
	return retry.Until(ctx, checkTimeout, checkInterval, func(context.Context) error {
		out, err := c.inNamespace(ctx, "logs", "-l", "app=server", "--tail=-1")
		if err == nil && !strings.Contains(out, "GET /tcp6") {
			err = errors.New("the request over IPv6 is not in the logs of the server")
		}
		return err
	})
}

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

func (c Cluster) portForward(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, c.Kubectl, "--kubeconfig", c.Kubeconfig, "-n", c.Namespace, "port-forward", "pod/client", ":8080")
	out, err := cmd.StdoutPipe()
	if err != nil {
		stop()
		return err
	}
	if err := cmd.Start(); err != nil {
		stop()
		return err
	}
	defer func() { stop(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	match := forwarding.FindStringSubmatch(line)
	if match == nil {
		return fmt.Errorf("kubectl printed %q, want the address it forwards from: %w", line, err)
	}
	answer, err := fetch(ctx, "http://"+match[1]+"/")
	if err == nil && !strings.HasPrefix(answer, "client ") {
		err = fmt.Errorf("another pod responded: %q", answer)
	}
	return err
}

func (c Cluster) admission(ctx context.Context) error {
	// A new policy takes effect after a short delay. Until then the object is created and has to be deleted.
	return retry.Until(ctx, checkTimeout, checkInterval, func(context.Context) error {
		_, err := c.inNamespace(ctx, "create", "configmap", "forbidden")
		if err != nil && strings.Contains(err.Error(), "the policy forbids this name") {
			return nil
		}
		_, _ = c.inNamespace(ctx, "delete", "configmap", "forbidden", "--ignore-not-found")
		return errors.Join(errors.New("the policy did not reject the object"), err)
	})
}

func fetch(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

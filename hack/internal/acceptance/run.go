package acceptance

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
	"github.com/openservicemesh/osm-operator/hack/internal/retry"
)

//go:embed manifests/objects.yaml
var objects string

// Cluster is a running cluster that has the probe image on its node.
type Cluster struct {
	// Kubectl is the path of kubectl, Kubeconfig the file it uses.
	Kubectl, Kubeconfig string
	// Namespace is created for the checks and deleted afterwards.
	Namespace string
	// IPv6Only is true for a cluster without IPv4.
	IPv6Only bool
	// ByTag and ByDigest are references of the probe image.
	ByTag, ByDigest string
}

// checkTimeout is the time limit of one check, which may be repeated at an interval.
const checkTimeout, checkInterval = 60 * time.Second, 200 * time.Millisecond

// Run creates the objects, runs every check, deletes the objects and returns all failures.
func (c Cluster) Run(ctx context.Context, report *progress.Reporter) error {
	defer c.deleteObjects()
	if err := report.Run(ctx, "starting pods", c.createObjects); err != nil {
		return err
	}
	var failed error
	for _, check := range c.checks() {
		if err := report.Run(ctx, check.name, check.run); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", check.name, err))
		}
	}
	return failed
}

func (c Cluster) createObjects(ctx context.Context) error {
	if _, err := c.kubectl(ctx, "", "create", "namespace", c.Namespace); err != nil {
		return err
	}
	var manifest bytes.Buffer
	parsed, err := template.New("objects").Parse(objects)
	if err != nil {
		return err
	}
	if err := parsed.Execute(&manifest, c); err != nil {
		return err
	}
	if _, err := c.kubectl(ctx, manifest.String(), "apply", "--server-side", "-f", "-"); err != nil {
		return err
	}
	if _, err := c.inNamespace(ctx, "rollout", "status", "deployment/server", "--timeout=60s"); err != nil {
		return err
	}
	_, err = c.inNamespace(ctx, "wait", "pod/client", "--for=condition=Ready", "--timeout=60s")
	return err
}

// deleteObjects deletes the objects, also when the caller's context has ended.
func (c Cluster) deleteObjects() {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	for _, object := range []string{"validatingadmissionpolicybinding/", "validatingadmissionpolicy/", "namespace/"} {
		_, _ = c.kubectl(ctx, "", "delete", object+c.Namespace, "--ignore-not-found")
	}
}

func (c Cluster) inNamespace(ctx context.Context, args ...string) (string, error) {
	return c.kubectl(ctx, "", append([]string{"--namespace", c.Namespace}, args...)...)
}

// inClient runs the probe in the client's pod.
func (c Cluster) inClient(ctx context.Context, args ...string) (string, error) {
	return c.inNamespace(ctx, append([]string{"exec", "client", "--", "/probe"}, args...)...)
}

func (c Cluster) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	return kubectl.Client{Path: c.Kubectl, Kubeconfig: c.Kubeconfig}.Run(ctx, stdin, args...)
}

// checkToken compares the token in the client's pod with the discovery document and keys of the API server.
func (c Cluster) checkToken(ctx context.Context) error {
	raw, err := c.inClient(ctx, "cat", "/token/token")
	if err != nil {
		return err
	}
	header, claims, err := parseToken(raw)
	if err != nil {
		return err
	}
	if !slices.Equal(claims.Audience, []string{"acceptance"}) || claims.Kubernetes.Pod.Name != "client" {
		return fmt.Errorf("the token has audience %v and pod %q", claims.Audience, claims.Kubernetes.Pod.Name)
	}
	discovery, err := c.kubectl(ctx, "", "get", "--raw", "/.well-known/openid-configuration")
	if err != nil {
		return err
	}
	if !strings.Contains(discovery, `"issuer":"`+claims.Issuer+`"`) {
		return fmt.Errorf("the discovery document %s does not name the token's issuer %s", discovery, claims.Issuer)
	}
	keys, err := c.kubectl(ctx, "", "get", "--raw", "/openid/v1/jwks")
	if err == nil && !strings.Contains(keys, `"kid":"`+header.KeyID+`"`) {
		err = fmt.Errorf("the published keys %s lack the token's %s", keys, header.KeyID)
	}
	return err
}

type tokenHeader struct {
	KeyID string `json:"kid"`
}

type tokenClaims struct {
	Issuer     string   `json:"iss"`
	Audience   []string `json:"aud"`
	Kubernetes struct {
		Pod struct {
			Name string `json:"name"`
		} `json:"pod"`
	} `json:"kubernetes.io"`
}

// parseToken decodes the header and the claims of a token. It does not verify the signature.
func parseToken(raw string) (tokenHeader, tokenClaims, error) {
	var header tokenHeader
	var claims tokenClaims
	parts := strings.Split(strings.TrimSpace(raw), ".")
	if len(parts) != 3 {
		return header, claims, fmt.Errorf("a token has three parts, this one has %d", len(parts))
	}
	for i, into := range []any{&header, &claims} {
		content, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return header, claims, err
		}
		if err := json.Unmarshal(content, into); err != nil {
			return header, claims, err
		}
	}
	return header, claims, nil
}

type check struct {
	name string
	run  func(context.Context) error
}

// family is an address family, and the network of its connections in Go.
type family struct{ name, network string }

// families are those of the cluster, in the order of addresses of pods.
func (c Cluster) families() []family {
	all := []family{{"IPv4", "tcp4"}, {"IPv6", "tcp6"}}
	if c.IPv6Only {
		return all[1:]
	}
	return all
}

func (c Cluster) checks() []check {
	list := []check{{"pods and Services have addresses of the cluster's families", c.addresses}}
	for _, f := range c.families() {
		list = append(list,
			check{"a pod calls a Service by name over " + f.name, func(ctx context.Context) error { return c.call(ctx, f.network, "server") }},
			check{"a pod calls itself through its Service over " + f.name, func(ctx context.Context) error { return c.call(ctx, f.network, "client") }},
		)
	}
	return append(list, c.commonChecks()...)
}

// commonChecks are those that do not depend on families.
func (c Cluster) commonChecks() []check {
	return []check{
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

func (c Cluster) addresses(ctx context.Context) error {
	for _, query := range [][]string{
		{"service/server", "jsonpath={.spec.clusterIPs[*]}"},
		{"pod/client", "jsonpath={.status.podIPs[*].ip}"},
	} {
		out, err := c.inNamespace(ctx, "get", query[0], "-o", query[1])
		if err != nil {
			return err
		}
		var found []string
		for _, address := range strings.Fields(out) {
			found = append(found, familyOf(address))
		}
		var want []string
		for _, f := range c.families() {
			want = append(want, f.name)
		}
		if !slices.Equal(found, want) {
			return fmt.Errorf("%s has the addresses %s, want %v", query[0], out, want)
		}
	}
	return nil
}

func familyOf(address string) string {
	if strings.Contains(address, ":") {
		return "IPv6"
	}
	return "IPv4"
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

package scripts_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli"
)

// misuse lists for a command how it can be called wrongly.
type misuse struct {
	// call is a correct call. It is made without a mesh and without rights.
	call string
	// noMesh and noRights are parts of the errors, by default those of most commands. "-" means that the call needs neither.
	noMesh, noRights string
	// wrong maps calls with a wrong name in a cluster with the mesh "present" to a part of the error.
	wrong map[string]string
}

const (
	missingMesh   = "no mesh found in the cluster: install one with `osm install`"
	missingRights = "permission denied: User \"nobody\" cannot "
	unknownMesh   = "Mesh [nope] does not exist. Please specify another mesh using --mesh-name or create a new mesh: existing meshes: present"
	noOSM         = "no Open Service Mesh runs in this cluster"
	neither       = "-"
)

// misuses has a row for each command. GRANT is a file with a TrafficTarget.
var misuses = map[string]misuse{
	"version":   {"", neither, "", map[string]string{"--nope": "unknown flag: --nope", "nope": "unexpected argument \"nope\""}},
	"env":       {"", neither, neither, map[string]string{"nope": "unexpected argument \"nope\""}},
	"mesh list": {"", neither, "", map[string]string{"-o nope": "must be one of json, yaml, name, wide", "nope": "unexpected argument"}},
	"mesh plan": {"", "", "", map[string]string{"--mesh-name nope": unknownMesh, "": "mesh present is not in mode Plan: run kubectl patch mesh present"}},
	"mesh upgrade": {"--version v0.2.0", "", "", map[string]string{
		"--mesh-name nope --version v0.2.0": unknownMesh, "--version v0.2.0 --set nope=1": "nope", "--version v0.2.0 --strategy nope": "nope",
	}},
	"namespace add": {"default", "", "", map[string]string{
		"nope": "namespace nope not found: create it with", "default --mesh-name nope": unknownMesh, "kube-system": "belongs to Kubernetes", "": "missing NAMESPACE",
	}},
	"namespace remove": {"default", neither, "", map[string]string{"nope": "namespace nope not found", "inside --mesh-name nope": "Namespace belongs to mesh [present], not mesh [nope]"}},
	"namespace ignore": {"nope", "namespace nope not found", "", map[string]string{"nope": "namespace nope not found"}},
	"namespace list":   {"--mesh-name nope", "", "", map[string]string{"--mesh-name nope": unknownMesh, "-o nope": "must be one of"}},
	"metrics enable":   {"--namespace nope", "namespace nope not found", "", map[string]string{"--namespace nope": "namespace nope not found", "--namespace default": "does not belong to a mesh", "": "missing namespace"}},
	"metrics disable":  {"--namespace nope", "namespace nope not found", "", map[string]string{"--namespace nope": "namespace nope not found"}},
	"install":          {"--timeout 1ms", neither, "", map[string]string{"--set nope=1": "nope", "--version nope": "unknown flag: --version"}},
	"uninstall mesh":   {"--mesh-name nope -f", "", "", map[string]string{"--mesh-name nope -f": unknownMesh, "--sidecars nope -f": "nope"}},
	"migrate plan":     {"", noOSM, "", map[string]string{"": noOSM, "--from nope": noOSM, "-o nope": "must be one of", "nope": "unexpected argument"}},
	"migrate run":      {"-y", noOSM, "", map[string]string{"-y": noOSM, "-y --to nope": "invalid --to \"nope\": must be one of prepared, injecting, restarting, complete", "-y --bridge 1s": "invalid --bridge 1s: must be between 1m and 720h"}},
	"migrate rollback": {"-y", "no Mesh takes over from an Open Service Mesh", "", map[string]string{
		"-y": "no Mesh takes over from an Open Service Mesh", "-y --from nope": "no Mesh takes over from an Open Service Mesh",
	}},
	"status": {"", "", "", map[string]string{"--mesh-name nope": unknownMesh, "nope": "unexpected argument"}},
	"describe pod": {"nope", "", "", map[string]string{
		"inside/nope": "no pod nope found in namespace inside", "nope/nope": "namespace nope is not in the mesh", "inside/web --mesh-name nope": unknownMesh, "": "missing POD",
		"inside/web -o nope": "must be one of", "inside/web -f nope": "nope",
	}},
	"explain": {"a/b to c/d", "", "", map[string]string{
		"inside/nope to inside/web":                                "no pod, workload, service account or Service named nope found in namespace inside",
		"inside/sa/till to inside/nope":                            "named nope found in namespace inside",
		"nope/sa/till to inside/web":                               "no serviceaccount named till found in namespace nope",
		"inside/nope/till to inside/web":                           "unknown kind \"nope\": use pod, svc",
		"west/inside/deploy/till to inside/web":                    "of a peer, only service accounts are known: use PEER/NAMESPACE/sa/NAME",
		"inside/sa/till to west/inside/sa/web":                     "is an account of a peer, which can only be the source",
		"inside/sa/till to inside/web --peer-context nope":         "is not imported from a peer, so the call stays in this cluster: omit --peer-context",
		"west/inside/sa/till to inside/web --peer-context nope":    "there is no MeshPeer west",
		"inside/sa/till to inside/web --peer-context nope -f nope": "none of the others can be",
		"inside/sa/till to inside/web GET nope":                    "a path begins with /: use /nope",
		"inside/sa/till to inside/web NOPE /":                      "\"NOPE\" is not a method of HTTP",
		"inside/sa/till to www.example.com":                        "For a host outside the mesh, write a URL: http://",
		"inside/sa/till to 192.0.2.1":                              "no Service and no pod of the mesh has the address 192.0.2.1",
		"inside/sa/till to inside/web -f nope":                     "nope",
		"inside/sa/till to inside/web --mesh-name nope":            unknownMesh,
		"inside/sa/till":                                           "source and destination are required",
	}},
	"plan": {"-f GRANT", "", "", map[string]string{"-f nope": "nope", "-f GRANT --mesh-name nope": unknownMesh, "": "missing files"}},
	"analyze": {"", "", "", map[string]string{
		"--mesh-name nope": unknownMesh, "-n nope": "namespace nope not found", "--severity nope": "invalid --severity nope: must be", "-f nope": "nope",
		"-f GRANT -n nope": "namespace nope not found",
	}},
	"translate": {"--to smi", "", "", map[string]string{
		"": "required flag(s) \"to\" not set", "--to nope": "invalid --to nope: must be one of gateway-api, smi, peers", "--to smi -o nope": "must be one of yaml, json, name",
		"--to smi --mesh-name nope": unknownMesh, "--to smi -f nope": "nope", "--to smi -n nope": "namespace nope not found", "--to smi -f GRANT -n nope": "namespace nope not found",
	}},
	"policy check-pods": {"a/b c/d", "", "", map[string]string{
		"inside/nope inside/nope": "Could not find pod nope in namespace inside", "inside/nope inside/nope --mesh-name nope": unknownMesh, "a/b": "missing",
	}},
	"policy check-conflicts": {"retry", "", "", map[string]string{"nope": "unsupported kind \"nope\": must be", "retry --mesh-name nope": unknownMesh, "retry -n nope": "namespace nope not found"}},
	"policy test":            {"-f nope", "nope", neither, map[string]string{"-f nope": "nope", "-f GRANT": "no expectations found"}},
	"proxy get": {"ready nope", "Could not find pod nope", "", map[string]string{
		"ready nope": "Could not find pod nope in namespace default: specify it as NAMESPACE/POD", "ready inside/nope": "Could not find pod nope in namespace inside", "ready": "missing",
	}},
	"proxy set":        {"reset_counters nope", "Could not find pod nope", "", map[string]string{"reset_counters inside/nope": "Could not find pod nope in namespace inside"}},
	"proxy status":     {"", "", "", map[string]string{"--mesh-name nope": unknownMesh, "-n nope": "namespace nope does not exist or is not part of mesh present", "-o nope": "must be one of"}},
	"dashboard":        {"grafana", "", "", map[string]string{"--mesh-name nope": unknownMesh, "grafana": "mesh present has no Grafana", "nope": "unknown dashboard \"nope\": use grafana, jaeger, prometheus, mesh", "grafana nope": "accepts at most 1 arg"}},
	"dashboard export": {"DASHBOARDS", neither, neither, map[string]string{"": "missing FOLDER", "GRANT": "the folder cannot be created"}},
	"bundle images":    {"", neither, neither, map[string]string{"-o nope": "must be one of", "nope": "unexpected argument", "--patch": "--patch requires --mirror", "--mirror https://a": "without a scheme"}},
	"stat": {"", "", "", map[string]string{
		"--mesh-name nope": unknownMesh, "nope": "unknown statistics \"nope\": use workloads, services or routes", "--window 1ms": "invalid --window 1ms: use at least",
		"": "mesh present has no Prometheus", "-o nope": "must be one of", "--prometheus http://127.0.0.1:1": "connection failed",
	}},
	"tap": {"", "", "", map[string]string{
		"--mesh-name nope": unknownMesh, "-n nope": "namespace nope does not exist or is not part of mesh present", "deploy/nope -n inside": "no running pod with a sidecar belongs to deploy/nope in namespace inside",
		"a/nope/b -n inside": "unknown kind \"nope\": use pod, svc", "-o nope": "must be one of", "--status nope": "invalid --status \"nope\": must be a code such as 503", "--direction nope": "invalid --direction \"nope\": must be inbound or outbound",
		"": "no running pod has a sidecar in",
	}},
	"top": {"", "", "", map[string]string{
		"--mesh-name nope": unknownMesh, "-n nope": "namespace nope does not exist", "deploy/nope -n inside": "no running pod with a sidecar belongs to deploy/nope", "--for 1ms": "invalid --for 1ms: use at least 1s", "-o nope": "must be one of",
		"--status nope": "invalid --status", "": "no running pod has a sidecar in",
	}},
	"wait": {"traffictarget/nope", "", "", map[string]string{
		"nope/nope": "invalid object \"nope/nope\"", "nope": "invalid object \"nope\"", "traffictarget/nope -n inside": "TrafficTarget inside/nope not found",
		"traffictarget/nope --mesh-name nope": unknownMesh, "traffictarget/nope --timeout 1ns": "timed out after 1ns", "mesh/nope": "Mesh nope not found", "deployment/nope -n inside": "Deployment inside/nope not found", "traffictarget/nope --timeout nope": "invalid argument \"nope\"",
	}},
	"check":              {"", neither, neither, map[string]string{"--mesh-name nope": unknownMesh, "-o nope": "must be one of"}},
	"support error-info": {"nope", "unknown reason nope: list all reasons with", neither, map[string]string{"nope": "unknown reason nope"}},
	"support bug-report": {"-o REPORT", neither, "nothing could be read", map[string]string{"--mesh-name nope -o REPORT": unknownMesh}},
	"verify connectivity": {"--from-pod a/b --to-pod c/d", "", "", map[string]string{
		"--from-pod a/b --to-pod c/d --mesh-name nope": unknownMesh, "--to-pod c/d": "--from-pod is required", "--from-pod a/b --to-pod c/d --app-protocol nope": "unsupported --app-protocol nope: must be",
	}},
	"verify ingress":              {"--to-pod a/b", "", "", map[string]string{"--to-pod a/b --mesh-name nope": unknownMesh}},
	"verify control-plane-health": {"", neither, neither, map[string]string{"--mesh-name nope": unknownMesh}},
	"certificates":                {"", "", "", map[string]string{"--mesh-name nope": unknownMesh, "-o nope": "must be one of", "": "the status of Mesh present has no certificates"}},
	"peer show": {"west", "", "", map[string]string{
		"west --mesh-name nope": unknownMesh, "": "missing NAME", "west east": "unexpected argument \"east\"", "West": "trust domain",
	}},
	"peer export": {"shop/cart --to west", neither, neither, map[string]string{
		"cart --to west": "invalid Service \"cart\": write NAMESPACE/NAME", "shop/cart --to West": "invalid name \"West\" of a MeshPeer", "shop/cart": "required flag", "--to west": "missing NAMESPACE/NAME",
	}},
	"peer import": {"shop/cart --from east --port 80", neither, neither, map[string]string{
		"shop/cart --from east": "missing --port", "shop/cart --from Any --port 80": "invalid name \"Any\"", "shop/cart --from east --port 80/nope": "invalid port \"80/nope\"", "shop/cart --port 80": "required flag",
	}},
	"peer check": {"", neither, neither, map[string]string{"--mesh-name nope": unknownMesh, "-o nope": "must be one of", "nope": "unexpected argument"}},
	"certificates check": {"", "", "", map[string]string{
		"--mesh-name nope": unknownMesh, "-o nope": "must be one of", "": "the status of Mesh present has no certificates", "--issuer nope": "invalid --issuer nope: write ClusterIssuer/NAME",
		"--issuer Issuer/": "invalid --issuer", "-f nope": "nope", "-f GRANT --issuer Issuer/a": "none of the others can be", "nope": "unexpected argument",
	}},
	"alpha certificate rotate": {"-y", "", "", map[string]string{
		"nope": "unexpected argument", "-y --mesh-name nope": unknownMesh, "-y": "the status of Mesh present has no certificates", "-y -f nope": "--file is not supported",
	}},
	"completion nope": {"", "unknown command \"nope\" for \"osm completion\"", "unknown command", nil},
	"nope":            {"", "unknown command \"nope\" for \"osm\"", "unknown command", nil},
}

// internals match what belongs into no message for users.
var internals = regexp.MustCompile(`context deadline|goroutine|panic|%!|<nil>|\{"(apiVersion|kind|metadata)|0x[0-9a-f]{6}`)

// Every wrong call has one error that names what is wrong. The order of these tests matters: the first ones need a cluster without a mesh.
func TestWrongCallsAreExplained(t *testing.T) {
	t.Setenv("KUBECONFIG", kubeconfig)
	t.Setenv("HOME", t.TempDir())
	grant := filepath.Join(t.TempDir(), "grant.yaml")
	if err := os.WriteFile(grant, []byte("{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: a, namespace: inside}, spec: {}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := strings.NewReplacer("GRANT", grant, "REPORT", filepath.Join(t.TempDir(), "report.tar.gz"), "DASHBOARDS", filepath.Join(t.TempDir(), "dashboards"))
	call := func(command, args string) wrongCall {
		return wrongCall{words: append(strings.Fields(command), strings.Fields(files.Replace(args))...)}
	}
	for _, command := range leafCommands() {
		if _, listed := misuses[command]; !listed {
			t.Errorf("osm %s has no row: list how it can be called wrongly", command)
		}
	}
	for command, m := range misuses {
		call(command, m.call).expect(t, "without a mesh", m.noMesh, missingMesh)
		call(command, m.call+" --as nobody").expect(t, "without rights", m.noRights, missingRights)
	}
	createPresentMesh(t)
	for command, m := range misuses {
		for args, want := range m.wrong {
			call(command, args).expect(t, "with a wrong name", want, "")
		}
	}
}

// wrongCall is a call of osm that fails.
type wrongCall struct{ words []string }

// expect makes the call, and checks its error.
func (c wrongCall) expect(t *testing.T, when, want, standard string) {
	t.Helper()
	if want == neither {
		return
	}
	if want == "" {
		want = standard
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, notes strings.Builder
	code := cli.Run(ctx, "osm", c.words, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &notes})
	line := notes.String()
	if i := strings.Index(line, "Error: "); i >= 0 {
		line = line[i:]
	}
	name := "osm " + strings.Join(c.words, " ") + " " + when
	switch {
	case code != 1:
		t.Errorf("%s has exit code %d, want 1: %s%s", name, code, out.String(), notes.String())
	case !strings.HasPrefix(line, "Error: ") || strings.Count(notes.String(), "Error: ") != 1:
		t.Errorf("%s does not print one error: %q", name, notes.String())
	case !strings.Contains(line, want):
		t.Errorf("%s has %q, want %q", name, line, want)
	case internals.MatchString(line):
		t.Errorf("%s prints internals: %q", name, line)
	case standard == "" && out.Len() > 0:
		t.Errorf("%s prints data: %q", name, out.String())
	}
}

// leafCommands returns the commands that do something, without those that generate completion scripts.
func leafCommands() []string {
	root := cli.New(cli.Streams{}, time.Now, func(string) string { return "" })
	var all []string
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Name() == "completion" || cmd.Name() == "help" {
			return
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
		if !cmd.HasParent() {
			return
		}
		// A command with subcommands can have arguments of its own.
		if !cmd.HasSubCommands() || len(cmd.ValidArgs) > 0 || cmd.HasLocalFlags() && cmd.Runnable() {
			all = append(all, strings.TrimPrefix(cmd.CommandPath(), "osm "))
		}
	}
	visit(root)
	slices.Sort(all)
	return all
}

// createPresentMesh creates a Mesh "present" with a namespace "inside", and removes both when the test ends.
func createPresentMesh(t *testing.T) {
	t.Helper()
	scheme := clientgoscheme.Scheme
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(apiServer, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "inside", Labels: map[string]string{"openservicemesh.io/monitored-by": "present"}}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "till", Namespace: "inside"}}
	web := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "inside"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "present"}}
	for _, object := range []client.Object{namespace, account, web, mesh} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		namespace.Labels = nil
		for _, err := range []error{c.Delete(ctx, mesh), c.Delete(ctx, web), c.Delete(ctx, account), c.Update(ctx, namespace)} {
			if err != nil {
				t.Error(err)
			}
		}
	})
}

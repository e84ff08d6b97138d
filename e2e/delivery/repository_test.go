package delivery

import (
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// repositoryAddress is where repositories are served: the node's address on the network of the pods.
const repositoryAddress = "10.244.0.1:50052"

// gitRepository is a Git repository that an HTTP server offers until the test ends.
type gitRepository struct {
	// url is the address for clients, tree a checkout.
	url, tree string
}

func serveRepository(t *testing.T) gitRepository {
	t.Helper()
	root := t.TempDir()
	r := gitRepository{url: "http://" + repositoryAddress + "/osm.git", tree: filepath.Join(root, "tree")}
	git(t, root, "init", "--quiet", "--bare", "--initial-branch=main", "osm.git")
	git(t, root, "clone", "--quiet", filepath.Join(root, "osm.git"), r.tree)
	programs := strings.TrimSpace(git(t, root, "--exec-path"))
	listener, err := net.Listen("tcp", repositoryAddress)
	lab.Must(t, err)
	server := &http.Server{
		Handler: &cgi.Handler{
			Path: filepath.Join(programs, "git-http-backend"),
			Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
		},
		ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return r
}

// push commits files, by their paths, and returns the commit.
func (r gitRepository) push(t *testing.T, files map[string]string) string {
	t.Helper()
	r.write(t, files)
	return r.commit(t)
}

// remove commits that a file is gone, and returns the commit.
func (r gitRepository) remove(t *testing.T, name string) string {
	t.Helper()
	lab.Must(t, os.Remove(filepath.Join(r.tree, filepath.FromSlash(name))))
	return r.commit(t)
}

func (r gitRepository) write(t *testing.T, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(r.tree, filepath.FromSlash(name))
		lab.Must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		lab.Must(t, os.WriteFile(path, []byte(content), 0o644))
	}
}

func (r gitRepository) commit(t *testing.T) string {
	t.Helper()
	git(t, r.tree, "add", "--all")
	git(t, r.tree, "-c", "user.name=platform", "-c", "user.email=platform@example.com", "commit", "--quiet", "--message", "change the mesh")
	git(t, r.tree, "push", "--quiet", "origin", "HEAD:main")
	return strings.TrimSpace(git(t, r.tree, "rev-parse", "HEAD"))
}

// git runs git in a folder and returns its output.
func git(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = folder
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, output)
	}
	return string(output)
}

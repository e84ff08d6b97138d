package scripts_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// lateDefinitions is a proxy in front of the API server. It reports a definition as not established when it is read for the first time.
type lateDefinitions struct {
	mu   sync.Mutex
	seen map[string]bool
}

// serve starts the proxy and makes it the cluster of the script's kubeconfig.
func (l *lateDefinitions) serve(env *testscript.Env) error {
	transport, err := rest.TransportFor(apiServer)
	if err != nil {
		return err
	}
	target, err := url.Parse(apiServer.Host)
	if err != nil {
		return err
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, ModifyResponse: l.delay,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding")
		},
	})
	env.Defer(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["late"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["late"] = &clientcmdapi.Context{Cluster: "late"}
	config.CurrentContext = "late"
	path := filepath.Join(env.WorkDir, "kubeconfig")
	env.Setenv("KUBECONFIG", path)
	return clientcmd.WriteToFile(*config, path)
}

// delay removes the conditions from the response to the first read of a definition.
func (l *lateDefinitions) delay(r *http.Response) error {
	name, found := strings.CutPrefix(r.Request.URL.Path, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/")
	l.mu.Lock()
	defer l.mu.Unlock()
	if !found || r.Request.Method != http.MethodGet || r.StatusCode != http.StatusOK || l.seen[name] {
		return nil
	}
	l.seen[name] = true
	content := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&content); err != nil {
		return err
	}
	delete(content["status"].(map[string]any), "conditions")
	changed, err := json.Marshal(content)
	if err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(changed)), int64(len(changed))
	r.Header.Set("Content-Length", strconv.Itoa(len(changed)))
	return nil
}

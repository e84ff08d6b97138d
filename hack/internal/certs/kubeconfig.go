package certs

import (
	"encoding/base64"
	"fmt"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters:
- name: osm-local
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: osm-local
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: osm-local
  context: {cluster: osm-local, user: osm-local}
current-context: osm-local
`

// Kubeconfig renders a self-contained client configuration.
func Kubeconfig(server string, ca []byte, client Pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, kubeconfig, server, encode(ca), encode(client.Cert), encode(client.Key))
}

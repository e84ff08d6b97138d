package assets

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// EchoArchive is the name of the archive in the folder that Echo returns.
const EchoArchive = "echo.tar"

// echoPrograms are the two programs of Istio's echo application. They need a newer Go than this module.
const echoPrograms = "istio.io/istio/pkg/test/echo/cmd/"

// Echo builds the image of Istio's echo application, from whose pods the conformance suite of the Gateway API sends its requests, and returns the folder
// with the archive. reference is the name that the suite's manifests have for the image.
func (b Builder) Echo(ctx context.Context, reference string) (string, error) {
	module := filepath.Join(b.Hack, "servers", "echo")
	return b.ensure(ctx, build.Artifact{
		Name: "echo", Inputs: []string{reference, linkerFlags, "format 1"}, Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			work := filepath.Join(dir, "work")
			defer os.RemoveAll(work)
			args := append(append([]string{}, goBuild...), "-o", work+string(filepath.Separator), echoPrograms+"client", echoPrograms+"server")
			if err := build.Run(ctx, build.Command{Dir: module, Env: []string{"CGO_ENABLED=0", "GOTOOLCHAIN=auto"}, Args: args}); err != nil {
				return err
			}
			return writeEcho(filepath.Join(dir, EchoArchive), work, reference)
		},
	}, "building the echo application of the conformance suite (once; about two minutes on two cores)")
}

// writeEcho writes the archive from a folder with the programs.
func writeEcho(file, programs, reference string) error {
	repository, tag, found := strings.Cut(reference, ":")
	if !found {
		return fmt.Errorf("the image %s of the conformance suite has no tag", reference)
	}
	tree := rootfs.New()
	for _, name := range []string{"client", "server"} {
		content, err := os.ReadFile(filepath.Join(programs, name))
		if err != nil {
			return err
		}
		tree.File("/usr/local/bin/"+name, 0o755, content)
	}
	certificate, key, err := selfSigned()
	if err != nil {
		return err
	}
	tree.File("/cert.crt", 0o644, certificate)
	tree.File("/cert.key", 0o644, key)
	stacked, err := layer.NewStore(filepath.Join(programs, "layers")).Layer("echo", func() (*rootfs.Tree, error) { return tree, nil })
	if err != nil {
		return err
	}
	image, err := archive.Assemble([]v1.Layer{stacked}, archive.Process{Entrypoint: []string{"/usr/local/bin/server"}, User: 65532, WorkingDir: "/"}, nil)
	if err != nil {
		return err
	}
	content, err := archive.Single(image)
	if err != nil {
		return err
	}
	return archive.Write(file, archive.Name{Repository: repository, Tag: tag}, content)
}

// selfSigned returns a certificate with its key for the HTTPS port of the servers. Nobody verifies it.
func selfSigned() (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "echo"}, NotAfter: time.Now().AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

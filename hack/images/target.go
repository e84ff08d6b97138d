package main

import (
	"context"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/fetch"
	"github.com/openservicemesh/osm-operator/hack/images/lock"
)

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
		if img.command != "" {
			commands = append(commands, img.command)
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
	built, err := archive.Assemble(layers, process, b.labels(img))
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

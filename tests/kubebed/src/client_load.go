package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

var background = context.Background()

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func cliLoad(args []string) error {
	fs := flags("load")
	rps, length := fs.Float64("rps", 10, ""), fs.Duration("for", time.Minute, "")
	fresh := fs.Bool("fresh", false, "")
	words, err := wordsOf(fs, args, 1, "which address?")
	if err != nil {
		return err
	}
	return sendLoad(words[0], *rps, *length, *fresh)
}

func (c client) cost(args []string) error {
	fs := flags("cost")
	db := fs.Duration("db", time.Millisecond, "")
	words, err := wordsOf(fs, args, 1, "how much, for example 20ms?")
	if err != nil {
		return err
	}
	cost, err := time.ParseDuration(words[0])
	if err != nil {
		return fmt.Errorf("cost: %w", err)
	}
	return c.patchLoad(map[string]any{"costMs": ms(cost), "dbCostMs": ms(*db)})
}

func (c client) cpu(args []string) error {
	fs := flags("cpu")
	total := fs.Bool("total", false, "")
	words, err := wordsOf(fs, args, 1, "how much, for example 180m, or off?")
	if err != nil {
		return err
	}
	change := map[string]any{"podM": 0, "totalM": 0}
	if words[0] != "off" {
		q, err := resource.ParseQuantity(words[0])
		if err != nil {
			return fmt.Errorf("cpu: %q: %w", words[0], err)
		}
		change[map[bool]string{true: "totalM", false: "podM"}[*total]] = q.MilliValue()
	}
	return c.patchLoad(change)
}

func (c client) mem(args []string) error {
	words, err := wordsOf(flags("mem"), args, 1, "how much, for example 120Mi?")
	if err != nil {
		return err
	}
	q, err := resource.ParseQuantity(words[0])
	if err != nil {
		return fmt.Errorf("mem: %q: %w", words[0], err)
	}
	return c.patchLoad(map[string]any{"memMi": float64(q.Value()) / (1 << 20)})
}

const metricsAPIService = "v1beta1.metrics.k8s.io"

func (c client) metrics(args []string) error {
	words, err := wordsOf(flags("metrics"), args, 1, "on, off, empty, stale or missing?")
	if err != nil {
		return err
	}
	mode := words[0]
	if !slices.Contains([]string{"on", "off", "empty", "stale", "missing"}, mode) {
		return errors.New("metrics: on, off, empty, stale or missing?")
	}
	if mode == "missing" {
		return c.state.kubectl(nil, "delete", "apiservice", metricsAPIService, "--ignore-not-found")
	}
	if err := c.patchLoad(map[string]any{"metrics": mode}); err != nil {
		return err
	}
	b := bed{state: c.state, options: c.options}
	manifest, err := b.metricsManifest()
	if err != nil {
		return err
	}
	if err := c.apply(manifest); err != nil || mode == "stale" {
		return err
	}
	// The API server looks only now and then whether the API works.
	return waitFor("metrics.k8s.io to be "+mode, 90*time.Second, func() (bool, error) {
		raw, err := c.kube.Discovery().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1/pods").DoRaw(background)
		empty := bytes.Contains(raw, []byte(`"items":[]`))
		return map[string]bool{"on": err == nil && !empty, "off": err != nil, "empty": err == nil && empty}[mode], nil
	})
}

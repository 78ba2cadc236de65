package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

//go:embed manifests/*.yaml
var manifests embed.FS

// client is a command that talks with a bed that is up.
type client struct {
	state
	options
	kube *kubernetes.Clientset
}

func newClient(s state) (client, error) {
	o, ok := s.alive()
	if !ok {
		return client{}, errors.New("no bed is up: run `kubebed up` first")
	}
	kube, err := s.client()
	return client{s, o, kube}, err
}

// ask sends something to the control port and reads the answer into `answer`.
func (c client) ask(method, path string, what, answer any) error {
	raw, err := json.Marshal(what)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, "http://"+loopback(c.options.control())+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	raw, err = io.ReadAll(a.Body)
	if err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(raw)))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(raw, answer)
}

func (c client) post(path string, what any) error { return c.ask(http.MethodPost, path, what, nil) }
func (c client) patchLoad(change map[string]any) error {
	return c.ask(http.MethodPatch, "/load", change, nil)
}

// flags of a command that takes n words (any number, if n < 0).
func flags(name string) *flag.FlagSet { return flag.NewFlagSet(name, flag.ContinueOnError) }

func wordsOf(fs *flag.FlagSet, args []string, n int, wanted string) ([]string, error) {
	words, _, err := parse(fs, args)
	if err != nil {
		return nil, err
	}
	if n >= 0 && len(words) != n {
		return nil, fmt.Errorf("%s: %s", fs.Name(), wanted)
	}
	return words, nil
}

func (c client) backends(args []string) error {
	fs := flags("backends")
	app, target := fs.String("app", "flask-backend", ""), fs.Int("target", 0, "")
	words, command, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 || len(command) > 0 && *target != 0 {
		return errors.New("backends: either -- CMD..., or --target PORT")
	}
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	return c.post("/backends", askPlan{*app, plan{Command: command, Folder: folder, Target: *target}})
}

// app brings the application up, and waits until it is as it should be.
func (c client) app(args []string) error {
	if _, err := wordsOf(flags("app"), args, 0, "takes nothing"); err != nil {
		return err
	}
	raw, err := manifests.ReadFile("manifests/app.yaml")
	if err != nil {
		return err
	}
	if err := c.apply(raw); err != nil {
		return err
	}
	if err := c.rights([]string{"all"}); err != nil {
		return err
	}
	if err := c.writeTokens(); err != nil {
		return err
	}
	if err := waitFor("two flask-backend pods and mysql-0", 90*time.Second, func() (bool, error) {
		list, err := c.kube.CoreV1().Pods(appNamespace).List(background, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		n := 0
		for i := range list.Items {
			if isReady(&list.Items[i]) {
				n++
			}
		}
		return n >= 3, nil
	}); err != nil {
		return err
	}
	return c.post("/log", askLog{"mysql-0", mysqlLine("[System] [MY-010931] [Server] ready for connections. port: 3306"), 1})
}

func (c client) expose(args []string) error {
	words, err := wordsOf(flags("expose"), args, 2, "a Service, and a port or off")
	if err != nil {
		return err
	}
	port := 0
	if words[1] != "off" {
		if port, err = strconv.Atoi(words[1]); err != nil {
			return err
		}
	}
	// The bed sees a new Service a moment after the API has it.
	var last error
	err = waitFor("the Service", 5*time.Second, func() (bool, error) {
		last = c.post("/expose", askExposure{words[0], port})
		return last == nil || !strings.Contains(last.Error(), "not found"), nil
	})
	return errors.Join(last, err)
}

func (c client) pods(args []string) error {
	fs := flags("pods")
	asJSON := fs.Bool("json", false, "")
	if _, err := wordsOf(fs, args, 0, "takes only --json"); err != nil {
		return err
	}
	var all []podReport
	if err := c.ask(http.MethodGet, "/pods", nil, &all); err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	fmt.Printf("%-34s %-18s %5s %8s %6s %7s %5s %8s %5s  %s\n", "POD", "STATE", "READY", "RESTARTS", "PORT", "PID", "CONNS", "REQUESTS", "CUT", "ANSWERS")
	for _, p := range all {
		state, port, pid := p.State, 0, 0
		if p.Gone {
			state = "gone"
		}
		for _, r := range p.Processes {
			port, pid = r.Port, r.PID
		}
		fmt.Printf("%-34s %-18s %5v %8d %6d %7d %5d %8d %5d  %v\n", p.Pod, state, p.Ready, p.Restarts, port, pid,
			p.Traffic.Connections, p.Traffic.Requests, p.Traffic.Cut, p.Traffic.Answers)
	}
	return nil
}

func (c client) nodes(args []string) error {
	fs := flags("nodes")
	cpu := fs.String("cpu", "", "")
	if _, err := wordsOf(fs, args, 0, "say --cpu N"); err != nil || *cpu == "" {
		return errors.Join(errors.New("nodes: say --cpu N"), err)
	}
	return c.post("/nodes", struct{ CPU string }{*cpu})
}

// mode is a command that sets one of some modes, perhaps only for a while.
func (c client) mode(name string, args []string, modes ...string) error {
	fs := flags(name)
	length := fs.Duration("for", 0, "")
	words, err := wordsOf(fs, args, 1, strings.Join(modes, ", ")+"?")
	if err != nil {
		return err
	}
	if !slices.Contains(modes, words[0]) {
		return fmt.Errorf("%s: %s? not %q", name, strings.Join(modes, ", "), words[0])
	}
	return c.post("/"+name, askMode{words[0], *length})
}

func (c client) apiserver(args []string) error {
	return c.mode("apiserver", args, "stop", "pause", "on")
}
func (c client) net(args []string) error { return c.mode("net", args, "off", "stall", "drop", "on") }

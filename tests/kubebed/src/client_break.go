package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// words of MySQL's own messages that a log reader looks for.
var mysqlLines = map[string]string{
	"too-many-connections": "[Warning] [MY-010055] [Server] Too many connections",
	"deadlock":             "[ERROR] [MY-013132] [Server] Deadlock found when trying to get lock; try restarting transaction",
	"lock-wait":            "[ERROR] [MY-013132] [Server] Lock wait timeout exceeded; try restarting transaction",
}

func mysqlLine(text string) string {
	return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") + " 42 " + text
}

func (c client) log(args []string) error {
	fs := flags("log")
	pod, count := fs.String("pod", "mysql-0", ""), fs.Int("count", 1, "")
	words, err := wordsOf(fs, args, -1, "")
	if err != nil || len(words) == 0 {
		return errors.Join(errors.New("log: which line? too-many-connections, deadlock, lock-wait, or a text"), err)
	}
	text := strings.Join(words, " ")
	if known, ok := mysqlLines[text]; ok {
		text = mysqlLine(known)
	}
	return c.post("/log", askLog{*pod, text, *count})
}

// deathFlags are those of kill and crash.
func deathFlags(fs *flag.FlagSet, ask *askDeath) func(words []string) error {
	one, all := fs.Bool("one", false, ""), fs.Bool("all", false, "")
	app := fs.String("app", "flask-backend", "")
	fs.StringVar(&ask.Reason, "reason", "Error", "")
	fs.IntVar(&ask.Exit, "exit", -1, "")
	return func(words []string) error {
		ask.Pods, ask.One = words, *one
		if *one || *all {
			ask.App = *app
		}
		if len(words) == 0 && ask.App == "" {
			return fmt.Errorf("%s: name a pod, or say --one or --all", fs.Name())
		}
		if ask.Exit < 0 {
			ask.Exit = map[bool]int{true: 137, false: 1}[ask.Reason == "OOMKilled"]
		}
		return nil
	}
}

func (c client) die(fs *flag.FlagSet, args []string, ask *askDeath) ([]string, error) {
	finish := deathFlags(fs, ask)
	words, err := wordsOf(fs, args, -1, "")
	if err != nil {
		return nil, err
	}
	if err := finish(words); err != nil {
		return nil, err
	}
	var names []string
	return names, c.ask(http.MethodPost, "/die", ask, &names)
}

// kill makes containers die once, and prints whose.
func (c client) kill(args []string) error {
	var ask askDeath
	names, err := c.die(flags("kill"), args, &ask)
	if err == nil {
		fmt.Println(strings.Join(names, "\n"))
	}
	return err
}

// crash makes them die until they are healed, and waits for CrashLoopBackOff.
func (c client) crash(args []string) error {
	fs, ask := flags("crash"), askDeath{Again: true}
	fs.DurationVar(&ask.After, "after", time.Second, "")
	fs.DurationVar(&ask.Backoff, "backoff", 0, "")
	names, err := c.die(fs, args, &ask)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := waitFor(name+" in CrashLoopBackOff", 30*time.Second+2*ask.After, func() (bool, error) {
			p, err := c.kube.CoreV1().Pods(appNamespace).Get(background, name, metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			s := p.Status.ContainerStatuses
			return len(s) > 0 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == "CrashLoopBackOff", nil
		}); err != nil {
			return err
		}
		fmt.Println(name)
	}
	return nil
}

func (c client) heal(args []string) error {
	if _, err := wordsOf(flags("heal"), args, 0, "takes nothing"); err != nil {
		return err
	}
	var names []string
	if err := c.ask(http.MethodPost, "/heal", struct{}{}, &names); err != nil {
		return err
	}
	return waitFor("the pods to be ready", 60*time.Second, func() (bool, error) {
		for _, name := range names {
			p, err := c.kube.CoreV1().Pods(appNamespace).Get(background, name, metav1.GetOptions{})
			if err == nil && !isReady(p) {
				return false, nil
			}
		}
		return true, nil
	})
}

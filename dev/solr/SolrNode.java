import java.util.Properties;
import org.apache.solr.client.solrj.embedded.JettyConfig;
import org.apache.solr.client.solrj.embedded.JettySolrRunner;

/** Runs Solr from its published jars, without its distribution: SolrNode.java HOME PORT. Ends with SIGTERM. */
public class SolrNode {
  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[1]);
    JettyConfig loopback = JettyConfig.builder().setHost("127.0.0.1").setPort(port).setContext("/solr").stopAtShutdown(true).build();
    new JettySolrRunner(arguments[0], new Properties(), loopback).start();
    Thread.currentThread().join();
  }
}
